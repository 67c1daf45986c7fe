with acts as (
    select
        account,
        act_id,
        act,
        identifier_type,
        case identifier_type
            when 'email' then {{ told_email('identifier') }}
            when 'phone' then {{ told_phone('identifier') }}
        end as identifier,
        coalesce(channel, '*') as channel,
        coalesce(blocked_topic, '*') as topic,
        actor,
        reason,
        acted_at,
        first_seen_at
    from {{ ref('stg_audiences__webhooks') }}
    where fits
),

blocks as (
    select * from acts
    where act = 'suppress'
),

lifts as (
    select * from acts
    where act = 'lift'
),

-- A lift ends the blocks of its identifier that lie within its scope and were set before it.
ended as (
    select
        blocks.act_id,
        min(greatest(lifts.acted_at, lifts.first_seen_at)) as ended_at
    from blocks
    inner join lifts
        on
            blocks.identifier_type = lifts.identifier_type
            and blocks.identifier = lifts.identifier
            and blocks.acted_at < lifts.acted_at
            and lifts.channel in ('*', blocks.channel)
            and lifts.topic in ('*', blocks.topic)
    group by blocks.act_id
)

select
    'audiences:' || blocks.account || ':act:' || blocks.act_id as suppression_id,
    blocks.account,
    null::varchar as record_id,
    'manual_block' as kind,
    blocks.identifier_type,
    blocks.identifier,
    -- A block of every channel binds the person, one of a channel the address it names.
    case when blocks.channel = '*' then 'person' else 'identifier' end as scope,
    blocks.channel,
    blocks.topic,
    concat_ws(': ', 'by hand', blocks.actor, blocks.reason) as source,
    blocks.acted_at as effective_at,
    blocks.first_seen_at as recorded_at,
    ended.ended_at
from blocks
left join ended on blocks.act_id = ended.act_id
where blocks.identifier is not null
