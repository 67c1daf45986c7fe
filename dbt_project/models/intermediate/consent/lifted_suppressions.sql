with clock as (
    select * from {{ ref('clock') }}
),

suppressions as (
    select * from {{ ref('suppressions') }}
),

reached as (
    select * from {{ ref('fact_identifiers') }}
),

-- The person's own express acts, newest first of each kind: what lifts anything is later than it.
acts as (
    select
        statements.identifier_type,
        statements.identifier,
        max(statements.effective_lo) as acted_at,
        max(statements.effective_lo) filter (where statements.state = 'granted_confirmed')
            as confirmed_at
    from {{ ref('consent_events') }} as statements
    inner join clock on statements.world = clock.world
    where
        starts_with(statements.state, 'granted')
        and statements.identifier is not null
        and statements.recorded_at <= clock.known_at
        and statements.effective_hi <= clock.as_of
        and statements.basis = 'express'
        and statements.actor = 'customer'
        and statements.has_evidence
    group by statements.identifier_type, statements.identifier
),

delivered as (
    select
        events.identifier,
        max(events.occurred_at) as delivered_at
    from (
        select
            *,
            world || coalesce({{ told_email('email') }}, {{ told_phone('phone') }}) as identifier
        from {{ ref('customer_events') }}
        where event_name = 'message_delivered'
    ) as events
    inner join clock on events.world = clock.world
    where
        events.occurred_at < clock.as_of
        and events.recorded_at <= clock.known_at
    group by events.identifier
)

-- Only what came wholly after the reason lifts it, for the identifier that it came from alone. An
-- act after an erasure opens what it names, which the decisions see to.
select
    suppressions.suppression_id,
    reached.identifier_type,
    reached.identifier
from suppressions
inner join reached on suppressions.suppression_id = reached.fact_id
left join acts
    on
        reached.identifier_type = acts.identifier_type
        and reached.identifier = acts.identifier
left join delivered on reached.identifier = delivered.identifier
where
    suppressions.kind <> 'erased'
    and (
        (
            contains(suppressions.lifted_by, 'fresh_double_opt_in')
            and suppressions.effective_at < acts.confirmed_at
        )
        or (
            contains(suppressions.lifted_by, 'express_act')
            and suppressions.effective_at < acts.acted_at
        )
        or (
            contains(suppressions.lifted_by, 'verified_delivery')
            and suppressions.effective_at < delivered.delivered_at
        )
    )
