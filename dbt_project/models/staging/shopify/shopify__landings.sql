with deliveries as (
    select * from {{ ref('stg_shopify__webhooks') }}
),

orders as (
    select * from {{ ref('stg_shopify__orders') }}
    where fits
),

landed as (
    select
        account,
        record_id,
        landing_id,
        received_at
    from {{ source('shopify', 'webhooks') }}
)

select
    landed.account,
    landed.landing_id,
    landed.received_at,
    case
        when orders.order_id is not null
            then 'shopify:' || landed.account || ':order:' || orders.order_id || ':order_placed'
        when deliveries.fits
            then 'shopify:' || landed.account || ':delivery:' || landed.record_id
    end as reaches
from landed
left join deliveries
    on landed.account = deliveries.account and landed.record_id = deliveries.record_id
left join orders
    on
        deliveries.topic like 'orders/%'
        and deliveries.account = orders.account
        and deliveries.id = orders.record_id
        and deliveries.payload_hash = orders.payload_hash
