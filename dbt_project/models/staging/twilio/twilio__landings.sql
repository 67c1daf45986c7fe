with landed as (
    select
        account,
        record_id,
        landing_id,
        received_at
    from {{ source('twilio', 'webhooks') }}
),

deliveries as (
    select * from {{ ref('stg_twilio__webhooks') }}
    where fits
)

select
    landed.account,
    landed.landing_id,
    landed.received_at,
    'twilio:' || deliveries.account || ':message:' || deliveries.message_sid as reaches
from landed
left join deliveries
    on landed.account = deliveries.account and landed.record_id = deliveries.record_id
