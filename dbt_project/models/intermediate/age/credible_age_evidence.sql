with clock as (
    select * from {{ ref('clock') }}
),

evidence as (
    select evidence.*
    from {{ ref('age_evidence') }} as evidence
    inner join clock on evidence.world = clock.world
    where evidence.recorded_at <= clock.known_at and evidence.verified_at <= clock.as_of
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

-- Orders and logins that show that a proof is still about whoever uses the account.
anchors as (
    select
        evidence.age_evidence_id,
        max(events.occurred_at) as anchored_at
    from evidence
    inner join clock on evidence.world = clock.world
    inner join {{ ref('customer_events') }} as events
        on
            evidence.person_id = events.person_id
            and coalesce(lower(trim(evidence.bound_name)) = lower(trim(events.person_name)), true)
    where
        events.event_name in ('order_placed', 'login')
        and events.occurred_at < clock.as_of
        and events.recorded_at <= clock.known_at
    group by evidence.age_evidence_id
),

erased as (
    select
        person_id,
        max(erased_at) as erased_at
    from {{ ref('person_blocks') }}
    where erased_at is not null
    group by person_id
),

-- A proof that bears another name than its record has by now is somebody else's.
renamed as (
    select evidence.age_evidence_id
    from evidence
    inner join records
        on
            evidence.platform = records.platform
            and evidence.account = records.account
            and evidence.record_id = records.record_id
    where evidence.bound_name is not null and records.last_name is not null
    group by evidence.age_evidence_id, evidence.bound_name
    having not bool_or(
        lower(trim(concat_ws(' ', records.first_name, records.last_name)))
        = lower(trim(evidence.bound_name))
    )
)

select
    evidence.age_evidence_id,
    evidence.person_id,
    evidence.world,
    evidence.kind,
    evidence.level,
    evidence.threshold,
    evidence.value,
    lower(trim(evidence.bound_name)) as bound_name,
    evidence.verified_at,
    renamed.age_evidence_id is null as is_bound,
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
from evidence
left join expiries on evidence.level = expiries.level
left join anchors on evidence.age_evidence_id = anchors.age_evidence_id
left join renamed on evidence.age_evidence_id = renamed.age_evidence_id
left join erased on evidence.person_id = erased.person_id
left join placeholders
    on evidence.value = placeholders.birth_date and evidence.level <= placeholders.level
where placeholders.birth_date is null
