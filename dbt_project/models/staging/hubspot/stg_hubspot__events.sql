{% set fields = [
    ('event_type', 'text', 'eventType'),
    ('object_id', 'text', 'objectId'),
    ('object_type', 'text', 'objectType'),
    ('properties', 'object'),
    ('occurred_at', 'time', 'occurredAt'),
] %}

with source as (
    {{ versions_of('hubspot', 'events', fields) }}
),

renamed as (
    select
        account,
        record_id,
        payload_hash,
        {{ typed(fields, essential={'event_type': 'true', 'occurred_at': 'true'}) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
