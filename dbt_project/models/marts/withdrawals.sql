with consent as (
    select * from {{ ref('consent_state') }}
    where purpose = 'marketing' and topic = '*' and sender = 'any'
),

statements as (
    select * from {{ ref('consent_events') }}
),

suppressions as (
    select suppressions.*
    from {{ ref('suppressions') }} as suppressions
    inner join {{ ref('clock') }} as clock on suppressions.world = clock.world
    where suppressions.recorded_at <= clock.known_at
),

channels as (
    select * from {{ ref('channels') }}
),

withdrawn as (
    select
        consent.identifier_type,
        consent.identifier,
        consent.channel,
        'withdrawn' as reason,
        consent.withdrawn_at as effective_at
    from consent
    inner join statements on consent.consent_event_id = statements.consent_event_id
    -- What only another address of the person was withdrawn from is not written to this one.
    -- A value nobody has seen before stops us, but it is not written to other platforms.
    where
        consent.state = 'withdrawn'
        and consent.is_named
        and statements.method is distinct from 'unseen_value'
),

complained as (
    select
        reached.identifier_type,
        reached.identifier,
        channels.channel,
        suppressions.kind as reason,
        min(suppressions.effective_at) as effective_at
    from suppressions
    inner join {{ ref('fact_identifiers') }} as reached
        on suppressions.suppression_id = reached.fact_id and reached.is_named
    inner join channels on reached.identifier_type = channels.identifier_type
    anti join {{ ref('lifted_suppressions') }} as lifted
        on
            reached.fact_id = lifted.suppression_id
            and reached.identifier_type = lifted.identifier_type
            and reached.identifier = lifted.identifier
    where suppressions.kind = 'spam_complaint'
    group by all
),

reasons as (
    select * from withdrawn
    union all
    select * from complained
),

-- What each platform says by itself, so that nothing is written where it already stands.
own_words as (
    select
        statements.platform || ':' || statements.account as holder,
        statements.identifier_type,
        statements.identifier,
        statements.channel
    from statements
    inner join {{ ref('clock') }} as clock on statements.world = clock.world
    -- Who has opted out of one topic there has not opted out of the others.
    where statements.topic = '*' and statements.recorded_at <= clock.known_at
    group by all
    having
        max(effective_hi) filter (where state = 'withdrawn') is not null
        and not coalesce(
            max(effective_lo) filter (where starts_with(state, 'granted'))
            > max(effective_hi) filter (where state = 'withdrawn'),
            false
        )
    union
    select
        suppressions.platform || ':' || suppressions.account as holder,
        suppressions.identifier_type,
        suppressions.identifier,
        channels.channel
    from suppressions
    inner join channels on suppressions.identifier_type = channels.identifier_type
    where suppressions.scope = 'identifier'
),

held as (
    select
        identifier_type,
        identifier,
        channel,
        list(distinct holder order by holder) as held_by
    from own_words
    where identifier is not null
    group by all
)

select
    reasons.identifier_type,
    reasons.identifier,
    reasons.channel,
    reasons.reason,
    coalesce(held.held_by, []) as held_by,
    reasons.effective_at
from reasons
left join held
    on
        reasons.identifier_type = held.identifier_type
        and reasons.identifier = held.identifier
        and reasons.channel = held.channel
