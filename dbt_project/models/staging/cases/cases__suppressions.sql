with readings as (
    select * from {{ ref('cases__readings') }}
    where suppression_kind is not null
),

texts as (
    select * from {{ ref('cases__texts') }}
    where state is null
),

wordings as (
    select * from {{ ref('platform_values') }}
    where field = 'wording'
)

select
    world,
    platform,
    world || fact_id as suppression_id,
    account,
    record_id,
    suppression_kind as kind,
    identifier_type,
    identifier_key as identifier,
    null::varchar as scope,
    null::varchar as channel,
    null::varchar as topic,
    platform || ' ' || field as source,
    least(coalesce(valid_hi, recorded_at), recorded_at) as effective_at,
    recorded_at,
    null::timestamptz as ended_at
from readings
union all by name
select
    texts.world,
    texts.platform,
    texts.world || texts.fact_id as suppression_id,
    texts.account,
    null as record_id,
    any_value(wordings.suppression_kind) as kind,
    'phone' as identifier_type,
    {{ phone_key('texts.address') }} as identifier,
    null as scope,
    null as channel,
    null as topic,
    'wording' as source,
    texts.occurred_at as effective_at,
    texts.recorded_at,
    null::timestamptz as ended_at
from texts
inner join wordings
    on texts.platform = wordings.platform and regexp_matches(texts.wording, wordings.value)
group by all
