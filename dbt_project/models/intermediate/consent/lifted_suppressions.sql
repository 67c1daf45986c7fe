with clock as (
    select * from {{ ref('clock') }}
),

suppressions as (
    select * from {{ ref('suppressions') }}
),

statements as (
    select statements.*
    from {{ ref('consent_events') }} as statements
    inner join clock on statements.world = clock.world
    where
        starts_with(statements.state, 'granted')
        and statements.identifier is not null
        and statements.recorded_at <= clock.known_at
        and statements.effective_hi <= clock.as_of
),

delivered as (
    select
        events.world,
        events.world || coalesce({{ told_email('events.email') }}, {{ told_phone('events.phone') }})
            as identifier,
        max(events.occurred_at) as delivered_at
    from {{ ref('customer_events') }} as events
    inner join clock on events.world = clock.world
    where
        events.event_name = 'message_delivered'
        and events.occurred_at < clock.as_of
        and events.recorded_at <= clock.known_at
    group by all
)

-- Only what came wholly after the reason lifts it.
select distinct suppressions.suppression_id
from suppressions
inner join statements
    on
        suppressions.identifier_type = statements.identifier_type
        and suppressions.identifier = statements.identifier
        and suppressions.effective_at < statements.effective_lo
-- An act after an erasure opens what it names alone, which the decisions see to.
where
    suppressions.kind <> 'erased'
    and (
        (
            contains(suppressions.lifted_by, 'fresh_double_opt_in')
            and statements.state = 'granted_confirmed'
            and statements.basis = 'express'
            and statements.actor = 'customer'
            and statements.has_evidence
        )
        or (
            contains(suppressions.lifted_by, 'express_act')
            and statements.basis = 'express'
            and statements.actor = 'customer'
            and statements.has_evidence
        )
    )
union
select suppressions.suppression_id
from suppressions
inner join delivered
    on
        suppressions.identifier = delivered.identifier
        and suppressions.effective_at < delivered.delivered_at
where contains(suppressions.lifted_by, 'verified_delivery')
