{% set fields = [
    ('email', 'text', 'properties.email'),
    ('phone', 'text', "(to_json(coalesce(
        nullif(trim(payload ->> '$.properties.mobilephone'), ''),
        payload ->> '$.properties.phone'
    )))"),
    ('first_name', 'text', 'properties.firstname'),
    ('last_name', 'text', 'properties.lastname'),
    ('country', 'text', "(to_json(coalesce(
        nullif(trim(payload ->> '$.properties.hs_country_region_code'), ''),
        payload ->> '$.properties.country'
    )))"),
    ('region', 'text', "(to_json(coalesce(
        nullif(trim(payload ->> '$.properties.hs_state_code'), ''),
        payload ->> '$.properties.state'
    )))"),
    ('postal_code', 'text', 'properties.zip'),
    ('language', 'text', 'properties.hs_language'),
    ('email_opt_out', 'text', 'properties.hs_email_optout'),
    ('hard_bounce', 'text', 'properties.hs_email_hard_bounce_reason_enum'),
    ('quarantined', 'flag', 'properties.hs_email_quarantined'),
    ('birth_date', 'birth_date', 'properties.date_of_birth'),
    ('age_verified', 'text', 'properties.age_verified'),
    ('properties', 'object'),
    ('archived', 'flag'),
    ('archived_at', 'time', 'archivedAt'),
    ('created_at', 'time', 'properties.createdate'),
    ('updated_at', 'time', 'properties.lastmodifieddate'),
] %}

with source as (
    {{ versions_of('hubspot', 'contacts', fields) }}
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
