with texts as (
    select * from {{ ref('twilio__texts') }}
)

select
    'twilio:' || account || ':message:' || message_sid as event_id,
    account,
    address as record_id,
    null as object_id,
    null as email,
    {{ told_phone('address') }} as phone,
    case
        when not inbound then 'message_sent'
        when state = 'withdrawn' then 'sms_unsubscribed'
        when starts_with(state, 'granted') then 'sms_subscribed'
        else 'message_received'
    end as event_name,
    case when inbound then 'inbound' else 'outbound' end as raw_name,
    null::varchar as person_name,
    null as country,
    null as region,
    null as currency,
    []::varchar[] as product_categories,
    json_object('channel', channel, 'error_code', error_code) as properties,
    null as amount,
    true as counted,
    occurred_at,
    first_seen_at as recorded_at,
    written_in
from texts
