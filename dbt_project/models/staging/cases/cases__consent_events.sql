with readings as (
    select * from {{ ref('cases__readings') }}
    -- What a person wrote waits for somebody to read it; what a platform hides is a state.
    where state is not null and (state <> 'hold' or of_actor is distinct from 'customer')
),

texts as (
    {{ text_statements(ref('cases__texts'), ' (sender)') }}
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
            when starts_with(state, 'granted') and read_actor in ('customer', 'unknown')
                then 'express'
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
    world || fact_id || part as consent_event_id,
    account,
    null as record_id,
    'phone' as identifier_type,
    {{ told_phone('address') }} as identifier,
    spoken_to as sender,
    channel,
    purpose,
    '*' as topic,
    state,
    case when starts_with(state, 'granted') then 'express' end as basis,
    method,
    'customer' as actor,
    platform || ' keyword' as source,
    case when spoken_to = '*' then 'channel_all' else 'sender' end as scope,
    true as has_evidence,
    null as category,
    null as origin_write_id,
    null::json as evidence,
    null::boolean as age_capable_at_capture,
    occurred_at as effective_lo,
    occurred_at as effective_hi,
    recorded_at,
    occurred_at as source_seen_at,
    null::timestamptz as expires_at
from texts
union all by name
-- The carrier's answer that a number has opted out also ends what else that sender sends.
select
    world,
    platform,
    world || fact_id || ' (sender)' as consent_event_id,
    account,
    record_id,
    identifier_type,
    identifier_key as identifier,
    sender,
    read_channel as channel,
    'transactional' as purpose,
    '*' as topic,
    state,
    method,
    read_actor as actor,
    platform || ' ' || field as source,
    'sender' as scope,
    has_evidence,
    valid_lo as effective_lo,
    valid_hi as effective_hi,
    recorded_at,
    valid_hi as source_seen_at
from readings
where platform = 'twilio' and field = 'error' and state = 'withdrawn' and read_channel = 'sms'
