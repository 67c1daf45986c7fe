with landed as (
    select
        account,
        landing_id,
        received_at,
        unnest(
            case
                when len(try_cast(payload as json) -> '$.items[*]') > 0
                    then try_cast(payload as json) -> '$.items[*]'
                else [null::json]
            end
        ) as item
    from {{ source('audiences', 'webhooks') }}
),

acts as (
    select * from {{ ref('stg_audiences__webhooks') }}
    where fits
)

select
    landed.account,
    landed.landing_id,
    landed.received_at,
    'audiences:' || acts.account || ':act:' || acts.act_id as reaches
from landed
left join acts
    on landed.account = acts.account and (landed.item ->> '$.id') = acts.act_id
