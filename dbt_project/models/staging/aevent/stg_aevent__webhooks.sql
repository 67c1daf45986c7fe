{% set fields = [
    ('token', 'text', 'wtl'),
    ('event_name', 'text', 'event'),
    ('tag', 'text', 'value'),
    ('email', 'text'),
    ('registrant_id', 'text', 'r'),
    ('repaired', 'flag'),
] %}

with source as (
    {{ deliveries_of('aevent', fields) }}
),

renamed as (
    select
        account,
        record_id,
        landing_id,
        payload_hash,
        topic,
        {{ typed(fields, essential={
            'token': 'true',
            'event_name': 'true',
            'email': 'registrant_id is null',
        }) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
