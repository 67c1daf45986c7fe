{% set fields = [
    ('email', 'text', 'subscriberIdString'),
    ('statuses', 'list'),
    ('wide_statuses', 'list', 'wideStatuses'),
    ('updated_at', 'time', 'contact.lastmodifieddate'),
] %}

with source as (
    {{ versions_of('hubspot', 'subscription_statuses', fields) }}
),

renamed as (
    select
        account,
        record_id,
        payload_hash,
        {{ typed(fields, essential={'email': 'true', 'statuses': 'true', 'updated_at': 'true'}) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
