{% set fields = [
    ('act_id', 'text', 'id'),
    ('act', 'text'),
    ('identifier_type', 'text'),
    ('identifier', 'text'),
    ('channel', 'text'),
    ('blocked_topic', 'text', 'topic'),
    ('actor', 'text'),
    ('reason', 'text'),
    ('written_platform', 'text', 'platform'),
    ('written_account', 'text', 'account'),
    ('acted_at', 'time', 'at'),
] %}

with source as (
    {{ deliveries_of('audiences', fields, items='$.items', item_id="payload ->> '$.id'") }}
),

renamed as (
    select
        account,
        record_id,
        landing_id,
        payload_hash,
        topic,
        {{ typed(fields, essential={
            'act_id': 'true',
            'act': 'true',
            'identifier_type': 'true',
            'identifier': 'true',
            'acted_at': 'true',
        }) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
