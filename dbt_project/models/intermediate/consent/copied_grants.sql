-- What one tool shows as granted within minutes of an opt-out that another heard, and nobody says
-- that the person did, is its copy of what was before: an echo and no new act.
with clock as (
    select
        *,
        to_minutes({{ policy('echo_minutes') }}::integer) as echoes_within
    from {{ ref('clock') }} as clock
),

statements as (
    select
        statements.consent_event_id,
        statements.platform,
        statements.account,
        statements.state,
        statements.actor,
        statements.suppression_keys,
        statements.effective_lo,
        statements.effective_hi,
        clock.echoes_within
    from {{ ref('consent_events') }} as statements
    inner join clock
        on statements.world = clock.world and statements.recorded_at <= clock.known_at
),

-- Keys as numbers, since a build holds those of all opt-outs.
opt_outs as (
    select
        consent_event_id,
        platform,
        account,
        effective_hi,
        hash(unnest(suppression_keys)) as key
    from statements
    where state = 'withdrawn'
),

grants as (
    select
        consent_event_id,
        platform,
        account,
        effective_lo,
        echoes_within,
        hash(unnest(suppression_keys)) as key
    from statements
    where
        starts_with(state, 'granted')
        and actor is distinct from 'customer'
        and effective_lo > '-infinity'::timestamptz
)

select
    grants.consent_event_id,
    min(opt_outs.consent_event_id) as copied_after
from grants
inner join opt_outs on grants.key = opt_outs.key
where
    (grants.platform <> opt_outs.platform or grants.account <> opt_outs.account)
    and grants.effective_lo >= opt_outs.effective_hi
    and grants.effective_lo <= opt_outs.effective_hi + grants.echoes_within
group by grants.consent_event_id
