with landed as (
    select
        account,
        landing_id,
        received_at,
        record_id,
        case
            when len(try_cast(payload as json) -> '$.data[*]') > 0
                then try_cast(payload as json) -> '$.data[*]'
            else [null::json]
        end as items
    from {{ source('klaviyo', 'webhooks') }}
),

items as (
    select
        account,
        landing_id,
        received_at,
        unnest(items) as item
    from landed
),

deliveries as (
    select * from {{ ref('stg_klaviyo__webhooks') }}
    where fits
)

select
    items.account,
    items.landing_id,
    items.received_at,
    'klaviyo:' || deliveries.account || ':event:' || deliveries.event_id as reaches
from items
left join deliveries
    on
        items.account = deliveries.account
        and deliveries.event_id = (items.item ->> '$.external_id')
        and deliveries.item_topic = (items.item ->> '$.topic')
