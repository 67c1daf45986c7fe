with readings as (
    select
        * exclude (suppression_kind),
        case
            when state <> 'hold' or state is null then suppression_kind
            else 'held_for_review'
        end as suppression_kind
    from {{ ref('cases__readings') }}
    -- A platform's silence is a statement: a later grant ends it.
    where suppression_kind is not null or (state = 'hold' and of_actor = 'customer')
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
    readings.world,
    readings.platform,
    readings.world || readings.fact_id as suppression_id,
    readings.account,
    readings.record_id,
    readings.suppression_kind as kind,
    readings.identifier_type,
    readings.identifier_key as identifier,
    case when readings.scope = 'all_channels' then 'person' end as scope,
    case
        when starts_with(readings.suppression_kind, 'held_') then readings.read_channel
    end as channel,
    null::varchar as topic,
    readings.platform || ' ' || readings.field as source,
    coalesce(readings.valid_lo, '-infinity'::timestamptz) as effective_lo,
    coalesce(readings.valid_hi, readings.recorded_at) as effective_at,
    readings.recorded_at,
    null::timestamptz as ended_at,
    readings.read_channel as said_on,
    readings.value as words
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
    {{ told_phone('texts.address') }} as identifier,
    null as scope,
    null as channel,
    null as topic,
    'wording' as source,
    texts.occurred_at as effective_lo,
    texts.occurred_at as effective_at,
    texts.recorded_at,
    null::timestamptz as ended_at,
    texts.channel as said_on,
    texts.wording as words
from texts
inner join wordings
    on
        texts.platform = wordings.platform
        and regexp_matches(texts.wording, wordings.value)
        and {{ in_force('wordings', 'texts.recorded_at') }}
group by all
