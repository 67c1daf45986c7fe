with landed as (
    select
        account,
        record_id,
        landing_id,
        received_at
    from {{ source('aevent', 'webhooks') }}
),

deliveries as (
    select * from {{ ref('stg_aevent__webhooks') }}
    where fits
)

select
    landed.account,
    landed.landing_id,
    landed.received_at,
    'aevent:' || deliveries.account || ':call:' || deliveries.record_id as reaches
from landed
left join deliveries
    on landed.account = deliveries.account and landed.record_id = deliveries.record_id
