with texts as (
    select * from {{ ref('twilio__texts') }}
    where state is not null
)

select
    'twilio:' || account || ':message:' || message_sid as consent_event_id,
    account,
    address as record_id,
    'phone' as identifier_type,
    {{ phone_as_told('address') }} as identifier,
    -- A stop to one sender is a stop to all of them; a start opens the sender it was sent to.
    case when state = 'withdrawn' then '*' else sender end as sender,
    channel,
    case when state = 'withdrawn' then '*' else 'marketing' end as purpose,
    '*' as topic,
    state,
    case when starts_with(state, 'granted') then 'express' end as basis,
    method,
    case field when 'keyword' then 'customer' else 'unknown' end as actor,
    'twilio ' || field as source,
    'channel_all' as scope,
    field = 'keyword' as has_evidence,
    null as category,
    null as origin_write_id,
    json_object('message_sid', message_sid, 'word', word, 'error_code', error_code) as evidence,
    null::boolean as age_capable_at_capture,
    -- The error proves an opt-out at some time before it, a keyword the moment itself.
    case field when 'keyword' then least(occurred_at, first_seen_at) end as effective_lo,
    least(occurred_at, first_seen_at) as effective_hi,
    first_seen_at as recorded_at,
    occurred_at as source_seen_at,
    null::timestamptz as expires_at
from texts
