with readings as (
    select * from {{ ref('cases__readings') }}
    where state is not null and state <> 'hold'
),

texts as (
    select * from {{ ref('cases__texts') }}
    where state is not null
),

-- What a person has read as a stop.
verdicts as (
    select
        held.world,
        held.platform,
        held.account,
        held.record_id,
        held.fact_id,
        held.identifier_type,
        held.identifier_key,
        held.read_channel as channel,
        held.valid_lo,
        held.valid_hi,
        reviews.recorded_at
    from (
        select * from {{ ref('cases__readings') }}
        where state = 'hold'
        union all by name
        select
            world,
            platform,
            account,
            null as record_id,
            fact_id,
            'phone' as identifier_type,
            {{ phone_key('address') }} as identifier_key,
            channel as read_channel,
            occurred_at as valid_lo,
            occurred_at as valid_hi
        from {{ ref('cases__texts') }}
        where state is null
    ) as held
    inner join {{ source('cases', 'reviews') }} as reviews
        on held.world = reviews.world and held.fact_id = reviews.reviewed_id
    where reviews.verdict = 'stop'
)

select
    world,
    platform,
    world || fact_id as consent_event_id,
    account,
    record_id,
    identifier_type,
    identifier_key as identifier,
    sender,
    coalesce(read_channel, '*') as channel,
    coalesce(purpose, 'marketing') as purpose,
    topic,
    state,
    coalesce(
        basis,
        case
            when starts_with(state, 'granted') and read_actor in ('customer', 'unknown') then 'express'
        end
    ) as basis,
    method,
    read_actor as actor,
    platform || ' ' || field as source,
    scope,
    has_evidence,
    category,
    origin_write_id,
    json_object('value', value, 'detail', detail) as evidence,
    null::boolean as age_capable_at_capture,
    valid_lo as effective_lo,
    valid_hi as effective_hi,
    recorded_at,
    valid_hi as source_seen_at,
    expires_at
from readings
union all by name
select
    world,
    platform,
    world || fact_id as consent_event_id,
    account,
    null as record_id,
    'phone' as identifier_type,
    {{ phone_key('address') }} as identifier,
    case when state = 'withdrawn' then '*' else sender end as sender,
    channel,
    'marketing' as purpose,
    '*' as topic,
    state,
    case when starts_with(state, 'granted') then 'express' end as basis,
    method,
    'customer' as actor,
    platform || ' keyword' as source,
    'channel_all' as scope,
    true as has_evidence,
    null as category,
    null as origin_write_id,
    null::json as evidence,
    null::boolean as age_capable_at_capture,
    least(occurred_at, recorded_at) as effective_lo,
    least(occurred_at, recorded_at) as effective_hi,
    recorded_at,
    occurred_at as source_seen_at,
    null::timestamptz as expires_at
from texts
union all by name
-- A stop by text also ends what else that sender sends.
select
    world,
    platform,
    world || fact_id || ' (sender)' as consent_event_id,
    account,
    null as record_id,
    'phone' as identifier_type,
    {{ phone_key('address') }} as identifier,
    sender,
    channel,
    'transactional' as purpose,
    '*' as topic,
    state,
    null as basis,
    method,
    'customer' as actor,
    platform || ' keyword' as source,
    'sender' as scope,
    true as has_evidence,
    null as category,
    null as origin_write_id,
    null::json as evidence,
    null::boolean as age_capable_at_capture,
    least(occurred_at, recorded_at) as effective_lo,
    least(occurred_at, recorded_at) as effective_hi,
    recorded_at,
    occurred_at as source_seen_at,
    null::timestamptz as expires_at
from texts
union all by name
select
    world,
    platform,
    world || fact_id as consent_event_id,
    account,
    record_id,
    identifier_type,
    identifier_key as identifier,
    '*' as sender,
    coalesce(channel, '*') as channel,
    'marketing' as purpose,
    '*' as topic,
    'withdrawn' as state,
    null as basis,
    'review' as method,
    'customer' as actor,
    platform || ' review' as source,
    case when channel is null then 'all_channels' else 'channel_all' end as scope,
    true as has_evidence,
    null as category,
    null as origin_write_id,
    null::json as evidence,
    null::boolean as age_capable_at_capture,
    valid_lo as effective_lo,
    valid_hi as effective_hi,
    recorded_at,
    valid_hi as source_seen_at,
    null::timestamptz as expires_at
from verdicts
