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

-- Why withdrawals are written to platforms. Each of these speaks for itself as long as it holds.
causes as (
    select
        consent_event_id as fact_id,
        effective_hi as began_at
    from {{ ref('consent_events') }}
    where state = 'withdrawn'
    union all
    select
        suppression_id as fact_id,
        effective_at as began_at
    from known
    where platform = 'audiences' or kind in ('spam_complaint', 'erased')
),

writes as (
    select
        *,
        world || identifier as written_identifier
    from {{ ref('audiences__writes') }}
),

keys as (
    select * from {{ ref('person_keys') }}
),

-- What a platform blocks from the moment in which we wrote a withdrawal there repeats our write: a
-- later grant must not meet it. Platforms carry writes out within a quarter of an hour, and their
-- clocks differ from ours by seconds. Any other block is somebody's act.
written_there as (
    select
        suppressions.suppression_id,
        suppressions.identifier_type,
        suppressions.identifier,
        max(writes.written_at) as written_at
    from suppressions
    inner join writes
        on
            suppressions.platform = writes.platform
            and suppressions.account = writes.account
            and suppressions.identifier_type = writes.identifier_type
            and suppressions.identifier = writes.written_identifier
            and suppressions.effective_at >= writes.written_at - to_seconds(10)
            and suppressions.effective_at <= writes.written_at + to_minutes(15)
    where
        suppressions.kind = 'manual_block'
        and suppressions.platform is distinct from 'audiences'
    group by all
),

-- The reason must still be known: the block may be all that is left of one that was lost. Whoever
-- told it may have had a fast clock.
echoes as (
    select distinct written_there.suppression_id
    from written_there
    inner join {{ ref('fact_identifiers') }} as reached
        on
            written_there.identifier_type = reached.identifier_type
            and written_there.identifier = reached.identifier
            and reached.is_named
    inner join causes
        on
            reached.fact_id = causes.fact_id
            and causes.began_at <= written_there.written_at + to_minutes(5)
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
