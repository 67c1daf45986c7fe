with statements as (
    {{ text_statements(ref('twilio__texts'), ':transactional') }}
)

select
    'twilio:' || account || ':message:' || message_sid || part as consent_event_id,
    account,
    address as record_id,
    'phone' as identifier_type,
    {{ told_phone('address') }} as identifier,
    spoken_to as sender,
    channel,
    purpose,
    '*' as topic,
    state,
    case when starts_with(state, 'granted') then 'express' end as basis,
    method,
    case field when 'keyword' then 'customer' else 'unknown' end as actor,
    'twilio ' || field as source,
    case when spoken_to = '*' then 'channel_all' else 'sender' end as scope,
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
from statements
