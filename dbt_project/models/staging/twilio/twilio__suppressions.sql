with texts as (
    select * from {{ ref('twilio__texts') }}
    where inbound and state is null
),

wordings as (
    select * from {{ ref('platform_values') }}
    where platform = 'twilio' and field = 'wording'
)

select
    'twilio:' || texts.account || ':message:' || texts.message_sid as suppression_id,
    texts.account,
    texts.address as record_id,
    any_value(wordings.suppression_kind) as kind,
    'phone' as identifier_type,
    {{ told_phone('texts.address') }} as identifier,
    'twilio wording' as source,
    least(texts.occurred_at, texts.first_seen_at) as effective_at,
    texts.first_seen_at as recorded_at,
    texts.channel as said_on,
    texts.wording as words
from texts
inner join wordings
    on
        regexp_matches(texts.wording, wordings.value)
        and {{ in_force('wordings', 'texts.first_seen_at') }}
group by
    texts.account, texts.message_sid, texts.address, texts.occurred_at, texts.first_seen_at,
    texts.channel, texts.wording
