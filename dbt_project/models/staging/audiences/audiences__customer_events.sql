with acts as (
    select * from {{ ref('stg_audiences__webhooks') }}
    where fits and act in ('suppress', 'lift', 'stop')
)

select
    'audiences:' || account || ':act:' || act_id as event_id,
    account,
    null::varchar as record_id,
    null::varchar as object_id,
    case when identifier_type = 'email' then identifier end as email,
    case when identifier_type = 'phone' then identifier end as phone,
    case act
        when 'lift' then 'block_lifted'
        when 'stop' then 'stopped_by_review'
        else 'blocked_by_hand'
    end as event_name,
    act as raw_name,
    null::varchar as person_name,
    null::varchar as country,
    null::varchar as region,
    null::varchar as currency,
    []::varchar[] as product_categories,
    json_object('channel', channel, 'topic', blocked_topic, 'actor', actor, 'reason', reason)
        as properties,
    null::decimal(18, 2) as amount,
    true as counted,
    acted_at as occurred_at,
    first_seen_at as recorded_at,
    written_in
from acts
