with told as (
    {{ union_platforms('consent_events') }}
),

-- What a person has read as a stop. Said on no channel in particular, it means all of them.
read_as_stops as (
    select
        held.suppression_id as consent_event_id,
        held.platform,
        held.account,
        held.record_id,
        held.world,
        held.identifier_type,
        held.told as identifier,
        '*' as sender,
        coalesce(held.said_on, '*') as channel,
        'marketing' as purpose,
        '*' as topic,
        'withdrawn' as state,
        'review' as method,
        'customer' as actor,
        held.platform || ' review' as source,
        case when held.said_on is null then 'all_channels' else 'channel_all' end as scope,
        true as has_evidence,
        held.effective_at as effective_lo,
        held.effective_at as effective_hi,
        reviews.stopped_at as recorded_at,
        held.recorded_at as received_at,
        held.effective_at as source_seen_at
    from {{ ref('suppressions') }} as held
    inner join {{ ref('reviews') }} as reviews on held.suppression_id = reviews.reviewed_id
    where starts_with(held.kind, 'held_') and reviews.stopped_at is not null
),

statements as (
    select * from told
    union all by name
    select * from read_as_stops
),

accounts as (
    select * from {{ source('audiences', 'accounts') }}
),

clock as (
    select * from {{ ref('clock') }}
),

limits as (
    select * from {{ ref('honour_limits') }}
),

keys as (
    select * from {{ ref('identifier_keys') }}
),

-- A platform that shows an opt-out from the moment in which we wrote one there because of a block
-- by hand repeats our write. What was stated any earlier, or is told as the person's own act, is
-- theirs: people often click while they complain.
echoes as (
    select
        statements.consent_event_id,
        min(writes.write_id) as write_id
    from statements
    inner join {{ ref('audiences__writes') }} as writes
        on
            statements.platform = writes.platform
            and statements.account = writes.account
            and statements.channel = writes.channel
            and statements.identifier_type = writes.identifier_type
            and statements.identifier = writes.identifier
            and statements.effective_hi >= writes.written_at - to_seconds(10)
            and statements.effective_hi <= writes.written_at + to_minutes(1)
    where
        writes.is_by_hand
        and statements.state = 'withdrawn'
        and statements.actor is distinct from 'customer'
    group by statements.consent_event_id
)

select
    statements.consent_event_id,
    statements.platform,
    statements.account,
    statements.record_id,
    statements.world,
    statements.identifier_type,
    statements.world || keys.target_key as identifier,
    {{ in_world('statements.world', 'keys.suppression_keys') }} as suppression_keys,
    accounts.brand,
    statements.sender,
    statements.channel,
    statements.purpose,
    statements.topic,
    statements.state,
    statements.basis,
    statements.method,
    statements.actor,
    statements.source,
    coalesce(statements.origin_write_id, echoes.write_id) as origin_write_id,
    statements.evidence,
    statements.age_capable_at_capture,
    statements.scope,
    statements.has_evidence,
    statements.category::varchar as category,
    -- A clock up to five minutes fast is believed; beyond, receipt is all that is certain.
    {{ not_ahead('statements.effective_lo') }} as effective_lo,
    coalesce({{ not_ahead('statements.effective_hi') }}, statements.recorded_at) as effective_hi,
    statements.recorded_at,
    statements.source_seen_at,
    case
        when statements.state = 'withdrawn'
            then coalesce(statements.received_at, statements.recorded_at) + to_hours(limits.hours)
    end as honour_by,
    statements.expires_at
from statements
inner join clock on statements.world = clock.world
left join accounts
    on statements.platform = accounts.platform and statements.account = accounts.account
left join keys
    on
        statements.identifier_type = keys.identifier_type
        and statements.identifier = keys.told
        and {{ read_by_account('statements', 'accounts') }} = keys.read_in
left join limits
    on
        statements.channel = limits.channel
        and {{ in_force('limits', 'statements.recorded_at') }}
left join echoes on statements.consent_event_id = echoes.consent_event_id
