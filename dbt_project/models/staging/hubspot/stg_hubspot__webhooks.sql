{% set fields = [
    ('act', 'text', "(case
        when (payload ->> '$.objectTypeId') = '0-1' then to_json(
            regexp_replace(payload ->> '$.subscriptionType', '^object\\.', 'contact.')
        )
        else coalesce(payload -> '$.subscriptionType', payload -> '$.eventType')
    end)"),
    ('object_id', 'text', 'objectId'),
    ('property_name', 'text', 'propertyName'),
    ('property_value', 'text', 'propertyValue'),
    ('primary_object_id', 'text', 'primaryObjectId'),
    ('new_object_id', 'text', 'newObjectId'),
    ('merged_object_ids', 'list', 'mergedObjectIds'),
    ('occurred_at', 'epoch_time', "(to_json(
        try_cast(payload ->> '$.occurredAt' as double) / 1000
    ))"),
] %}

with source as (
    {{ deliveries_of('hubspot', fields, items='$', item_id=hubspot_act_id('payload')) }}
),

renamed as (
    select
        account,
        record_id,
        landing_id,
        payload_hash,
        topic,
        {{ typed(fields, essential={'act': 'true', 'object_id': 'true'}) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
