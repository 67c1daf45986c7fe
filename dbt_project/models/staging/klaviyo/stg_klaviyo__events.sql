{% set fields = [
    ('metric_id', 'text', 'relationships.metric.data.id'),
    ('profile_id', 'text', 'relationships.profile.data.id'),
    ('properties', 'object', 'attributes.event_properties'),
    ('amount', 'number', 'attributes.event_properties."$value"'),
    ('occurred_at', 'time', 'attributes.datetime'),
] %}

with source as (
    {{ versions_of('klaviyo', 'events', fields) }}
),

renamed as (
    select
        account,
        record_id,
        payload_hash,
        {{ typed(fields, essential={'occurred_at': 'true'}) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
