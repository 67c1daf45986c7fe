{# Written by generate_platforms.py from the folders of models/staging; not for editing. #}

{% macro platforms_with(shape) %}
    {{ return({
        'customer_records': ['hubspot', 'klaviyo', 'shopify', 'twilio'],
        'customer_events': ['aevent', 'audiences', 'hubspot', 'klaviyo', 'shopify', 'twilio'],
        'consent_events': ['hubspot', 'klaviyo', 'shopify', 'twilio'],
        'suppressions': ['audiences', 'hubspot', 'klaviyo', 'shopify', 'twilio'],
        'age_evidence': ['hubspot', 'klaviyo', 'shopify'],
        'landings': ['aevent', 'audiences', 'hubspot', 'klaviyo', 'shopify', 'twilio'],
    }[shape]) }}
{% endmacro %}

{% macro staging_models() %}
    {{ return([
        'stg_aevent__webhooks',
        'stg_audiences__webhooks',
        'stg_hubspot__contacts',
        'stg_hubspot__events',
        'stg_hubspot__subscription_statuses',
        'stg_hubspot__webhooks',
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
