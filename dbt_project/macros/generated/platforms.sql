{# Written by generate_platforms.py from the folders of models/staging; not for editing. #}

{% macro platforms_with(shape) %}
    {{ return({
        'customer_records': ['klaviyo', 'shopify', 'twilio'],
        'customer_events': ['aevent', 'audiences', 'klaviyo', 'shopify', 'twilio'],
        'consent_events': ['klaviyo', 'shopify', 'twilio'],
        'suppressions': ['audiences', 'klaviyo', 'shopify', 'twilio'],
        'age_evidence': ['klaviyo', 'shopify'],
        'landings': ['aevent', 'audiences', 'klaviyo', 'shopify', 'twilio'],
    }[shape]) }}
{% endmacro %}

{% macro staging_models() %}
    {{ return([
        'stg_aevent__webhooks',
        'stg_audiences__webhooks',
        'stg_klaviyo__events',
        'stg_klaviyo__metrics',
        'stg_klaviyo__profiles',
        'stg_klaviyo__webhooks',
        'stg_shopify__customers',
        'stg_shopify__orders',
        'stg_shopify__webhooks',
        'stg_twilio__messages',
        'stg_twilio__webhooks',
    ]) }}
{% endmacro %}
