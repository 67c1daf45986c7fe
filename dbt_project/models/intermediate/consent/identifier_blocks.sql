with known as (
    select
        suppressions.*,
        clock.known_at
    from {{ ref('suppressions') }} as suppressions
    inner join {{ ref('clock') }} as clock on suppressions.world = clock.world
    where
        suppressions.recorded_at <= clock.known_at
        and coalesce(suppressions.closes_from <= clock.as_of, true)
),

suppressions as (
    select * from known
    where coalesce(ended_at > known_at, true)
),

-- Blocks set by hand in this house, lifted ones included, on whatever scope.
by_hand as (
    select * from known
    where platform = 'audiences'
),

statements as (
    select * from {{ ref('consent_events') }}
    where identifier is not null
),

keys as (
    select * from {{ ref('person_keys') }}
),

-- A block set by hand on an address that had already opted out repeats that opt-out, as our own
-- write of it does: a later grant must not meet it.
echoes as (
    select suppressions.suppression_id
    from suppressions
    inner join statements
        on
            suppressions.identifier_type = statements.identifier_type
            and suppressions.identifier = statements.identifier
            and suppressions.effective_at >= statements.effective_hi
    where
        suppressions.kind = 'manual_block'
        and suppressions.platform is distinct from 'audiences'
        and (statements.state = 'withdrawn' or starts_with(statements.state, 'granted'))
    group by suppressions.suppression_id
    having
        max(statements.effective_hi) filter (where statements.state = 'withdrawn') is not null
        and not coalesce(
            max(statements.effective_lo) filter (where statements.state <> 'withdrawn')
            > max(statements.effective_hi) filter (where statements.state = 'withdrawn'),
            false
        )
    union
    -- A platform's block that follows ours is our own write of it, and ends with ours. Writes may
    -- be under way for some minutes after a lift.
    select suppressions.suppression_id
    from suppressions
    inner join by_hand
        on
            suppressions.identifier_type = by_hand.identifier_type
            and suppressions.identifier = by_hand.identifier
            and suppressions.effective_at >= by_hand.effective_at
            and coalesce(suppressions.effective_at < by_hand.ended_at + to_minutes(10), true)
    where
        suppressions.kind = 'manual_block'
        and suppressions.platform is distinct from 'audiences'
),

standing as (
    select * from suppressions
    where suppression_id not in (select suppression_id from echoes)
),

-- By identifier first: a crowd may share one, and each of them have brought a reason.
blocked as (
    select
        reached.identifier_type,
        reached.identifier,
        standing.channel,
        standing.topic,
        standing.blocks,
        list(distinct standing.reason_code order by standing.reason_code) as reason_codes,
        list(distinct standing.suppression_id order by standing.suppression_id)[:20]
            as suppression_ids,
        max(case standing.kind when 'erased' then standing.effective_at end) as erased_at,
        min(standing.ended_at) as ends_at
    from standing
    inner join {{ ref('fact_identifiers') }} as reached
        on standing.suppression_id = reached.fact_id
    anti join {{ ref('lifted_suppressions') }} as lifted
        on
            standing.suppression_id = lifted.suppression_id
            and reached.identifier_type = lifted.identifier_type
            and reached.identifier = lifted.identifier
    where
        reached.is_named
        -- A reason that names a record only binds the identifiers of that record's person.
        or (
            len(coalesce(standing.suppression_keys, [])) = 0
            and standing.identifier_type = reached.identifier_type
        )
        -- What may have been a stop goes as far as one until somebody has read it.
        or (
            starts_with(standing.kind, 'held_')
            and standing.identifier_type = reached.identifier_type
        )
    group by all
)

select
    keys.person_id,
    keys.world,
    blocked.*
from blocked
inner join keys
    on
        blocked.identifier_type = keys.identifier_type
        and blocked.identifier = keys.identifier
