{% set event = 'payload.data.' %}
{% set fields = [
    ('event_id', 'text', 'external_id'),
    ('profile_id', 'text', event ~ 'relationships.profile.data.id'),
    ('item_topic', 'text', 'topic'),
    ('email', 'text', [
        event ~ 'attributes.event_properties.email_address',
        event ~ 'attributes.event_properties.email',
        event ~ 'attributes.event_properties."$email"',
    ]),
    ('phone', 'text', [
        event ~ 'attributes.event_properties.phone_number',
        event ~ 'attributes.event_properties."$phone_number"',
    ]),
    ('properties', 'object', event ~ 'attributes.event_properties'),
    ('occurred_at', 'time', event ~ 'attributes.datetime'),
    ('occurred_epoch', 'epoch_time', event ~ 'attributes.timestamp'),
] %}

with source as (
    {{ deliveries_of(
        'klaviyo',
        fields,
        items='$.data',
        item_id="(payload ->> '$.external_id') || ':' || (payload ->> '$.topic')",
    ) }}
),

renamed as (
    select
        account,
        record_id,
        landing_id,
        payload_hash,
        topic,
        {{ typed(fields, essential={
            'event_id': 'true',
            'item_topic': 'true',
            'occurred_at': 'occurred_epoch is null',
        }) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
