{% set fields = [
    ('email', 'text'),
    ('phone', 'text'),
    ('first_name', 'text'),
    ('last_name', 'text'),
    ('country', 'text', 'default_address.country_code'),
    ('region', 'text', 'default_address.province_code'),
    ('postal_code', 'text', 'default_address.zip'),
    ('tags', 'text'),
    ('metafields', 'list'),
    ('email_state', 'text', 'email_marketing_consent.state'),
    ('email_opt_in_level', 'text', 'email_marketing_consent.opt_in_level'),
    ('sms_state', 'text', 'sms_marketing_consent.state'),
    ('sms_opt_in_level', 'text', 'sms_marketing_consent.opt_in_level'),
    ('birth_date', 'birth_date', "(list_filter(
        json_extract(payload, '$.metafields[*]'),
        lambda field: (field ->> '$.namespace') = 'facts' and (field ->> '$.key') = 'birth_date'
    )[1] -> '$.value')"),
    ('email_consent_at', 'time', 'email_marketing_consent.consent_updated_at'),
    ('sms_consent_at', 'time', 'sms_marketing_consent.consent_updated_at'),
    ('created_at', 'time'),
    ('updated_at', 'time'),
] %}

with source as (
    {{ versions_of('shopify', 'customers', fields) }}
),

renamed as (
    select
        account,
        record_id,
        payload_hash,
        {{ typed(fields, essential={'created_at': 'true', 'updated_at': 'true'}) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
