with clock as (
    select * from {{ ref('clock') }}
),

evidence as (
    select
        evidence.*,
        clock.as_of
    from {{ ref('age_evidence') }} as evidence
    inner join clock on evidence.world = clock.world
    where
        evidence.recorded_at <= clock.known_at
        -- What speaks against somebody is heard from its receipt on.
        and least(
            coalesce(evidence.verified_at, evidence.recorded_at), evidence.recorded_at
        ) <= clock.as_of
),

records as (
    select * from {{ ref('customer_records_latest') }}
),

placeholders as (
    select * from {{ ref('placeholder_birth_dates') }}
),

expiries as (
    select * from {{ ref('age_level_expiry') }}
),

-- Whose a proof says it is: the name it bears, else that of its record.
named as (
    select
        evidence.*,
        records.record_key,
        {{ name_key('evidence.bound_name') }} as given_name,
        {{ name_key("concat_ws(' ', records.first_name, records.last_name)") }} as record_name
    from evidence
    left join records
        on
            evidence.platform = records.platform
            and evidence.account = records.account
            and evidence.record_id = records.record_id
),

acts as (
    select
        events.person_id,
        events.event_name,
        events.occurred_at,
        coalesce(
            {{ name_key('events.person_name') }},
            {{ name_key("concat_ws(' ', records.first_name, records.last_name)") }}
        ) as person_name
    from {{ ref('customer_events') }} as events
    inner join clock on events.world = clock.world
    left join records
        on
            events.platform = records.platform
            and events.account = records.account
            and events.record_id = records.record_id
    where
        events.event_name in ('order_placed', 'login', 'account_takeover')
        and events.occurred_at <= clock.as_of
        and events.recorded_at <= clock.known_at
),

erased as (
    select
        person_id,
        max(erased_at) as erased_at
    from {{ ref('person_blocks') }}
    where erased_at is not null
    group by person_id
),

-- Orders and logins that show that a proof is still about whoever uses the account.
anchors as (
    select
        named.age_evidence_id,
        max(acts.occurred_at) as anchored_at
    from named
    inner join acts
        on
            named.person_id = acts.person_id
            and acts.event_name <> 'account_takeover'
            and coalesce(acts.person_name = coalesce(named.given_name, named.record_name), true)
    group by named.age_evidence_id
),

-- Somebody else may use the account since.
taken_over as (
    select distinct named.age_evidence_id
    from named
    inner join acts
        on
            named.person_id = acts.person_id
            and acts.event_name = 'account_takeover'
            and named.verified_at <= acts.occurred_at
    where named.level >= 4
)

select
    evidence.age_evidence_id,
    evidence.person_id,
    evidence.record_key,
    evidence.world,
    evidence.kind,
    evidence.level,
    evidence.threshold,
    evidence.value,
    coalesce(evidence.given_name, evidence.record_name) as bound_name,
    evidence.verified_at,
    evidence.recorded_at,
    evidence.recorded_at::date as recorded_on,
    -- A proof that bears another name than its record has by now is somebody else's.
    coalesce(evidence.given_name = evidence.record_name, true)
    and taken_over.age_evidence_id is null
    -- What nobody knows the time of proves nothing, nor does what is still to come.
    and coalesce(evidence.verified_at <= evidence.as_of, false) as is_bound,
    -- What was proven before an erasure is proven no more; what speaks against somebody still does.
    coalesce(evidence.verified_at <= erased.erased_at, false) as is_dead,
    least(
        evidence.expires_at,
        evidence.verified_at + case expiries.expires_unit
            when 'days' then to_days(expiries.expires_after)
            when 'years' then to_years(expiries.expires_after)
        end,
        greatest(evidence.verified_at, anchors.anchored_at) + to_months(expiries.anchor_months)
    ) as stands_until
from named as evidence
left join expiries
    on evidence.level = expiries.level and {{ in_force('expiries', 'evidence.as_of') }}
left join erased on evidence.person_id = erased.person_id
left join anchors on evidence.age_evidence_id = anchors.age_evidence_id
left join taken_over on evidence.age_evidence_id = taken_over.age_evidence_id
left join placeholders
    on
        evidence.value = placeholders.birth_date
        and evidence.level <= placeholders.level
        and {{ in_force('placeholders', 'evidence.as_of') }}
where placeholders.birth_date is null
