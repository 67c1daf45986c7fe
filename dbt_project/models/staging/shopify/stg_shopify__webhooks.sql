{% set fields = [
    ('id', 'text'),
    ('customer_id', 'text', "(coalesce(
        payload -> '$.customer_id',
        payload -> '$.customer.id',
        case when topic like 'customers/%' then payload -> '$.id' end
    ))"),
    ('email', 'text', ['email_address', 'customer.email', 'email']),
    ('phone', 'text', ['phone', 'customer.phone']),
    ('email_state', 'text', 'email_marketing_consent.state'),
    ('email_opt_in_level', 'text', 'email_marketing_consent.opt_in_level'),
    ('sms_state', 'text', 'sms_marketing_consent.state'),
    ('sms_opt_in_level', 'text', 'sms_marketing_consent.opt_in_level'),
    ('email_consent_at', 'time', 'email_marketing_consent.consent_updated_at'),
    ('sms_consent_at', 'time', 'sms_marketing_consent.consent_updated_at'),
    ('updated_at', 'time'),
] %}

with source as (
    {{ deliveries_of('shopify', fields) }}
),

renamed as (
    select
        account,
        record_id,
        landing_id,
        payload_hash,
        topic,
        {{ typed(fields, essential={
            'id': "topic like 'orders/%'",
            'customer_id': "email is null and phone is null and topic in (
                'customers_email_marketing_consent/update',
                'customers/email_marketing_consent_update',
                'customers_marketing_consent/update',
                'customers/marketing_consent_update',
                'customers/delete',
                'customers/redact'
            )",
            'email_state': "topic in (
                'customers_email_marketing_consent/update',
                'customers/email_marketing_consent_update'
            )",
            'sms_state': "topic in (
                'customers_marketing_consent/update',
                'customers/marketing_consent_update'
            )",
        }) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
