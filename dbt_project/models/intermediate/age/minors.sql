with clock as (
    select * from {{ ref('clock') }}
),

persons as (
    select * from {{ ref('persons') }}
),

places as (
    select * from {{ ref('person_places') }}
),

consents as (
    select * from {{ ref('minimum_age') }}
    where category = 'data_consent' and kind = 'age' and region = '*'
),

-- The ages below which somebody is a minor, and may not consent to the use of their data: the
-- highest of the places that count, or of the markets where none is known.
limits as (
    select
        persons.person_id,
        persons.world,
        any_value(clock.as_of) as as_of,
        any_value(coalesce(persons.time_zone, {{ policy('unknown_time_zone') }})) as time_zone,
        any_value({{ policy('marketing_floor_age') }}::integer) as floor_age,
        max(coalesce(here.minimum_age, anywhere.minimum_age, {{ policy('child_data_age') }}::integer))
            as consent_age
    from persons
    inner join clock on persons.world = clock.world
    left join places on persons.person_id = places.person_id
    left join consents as here
        on
            places.country = here.country
            or (
                places.country is null
                and list_contains(string_split({{ policy('markets') }}, ','), here.country)
            )
    left join consents as anywhere on anywhere.country = '*'
    group by persons.person_id, persons.world
),

judged as (
    select
        limits.*,
        evidence.age_evidence_id,
        evidence.kind,
        evidence.level,
        evidence.bound_name,
        evidence.verified_at,
        evidence.threshold,
        evidence.is_bound and coalesce(evidence.stands_until > limits.as_of, true) as is_proof,
        (limits.as_of at time zone limits.time_zone)::date as today,
        -- The day from which the person was as old, as far as this evidence says.
        case evidence.kind
            when 'dob' then {{ birthday('evidence.value', 'limits.floor_age') }}
            when 'over'
                then {{ birthday('evidence.verified_at::date', 'limits.floor_age - evidence.threshold') }}
        end as floor_age_on,
        case evidence.kind
            when 'dob' then {{ birthday('evidence.value', 'limits.consent_age') }}
        end as consent_age_on
    from limits
    inner join {{ ref('credible_age_evidence') }} as evidence
        on limits.person_id = evidence.person_id
    where
        evidence.kind in ('over', 'under')
        or (
            evidence.kind = 'dob'
            and evidence.value < evidence.recorded_on
            and {{ birthday('evidence.value', 115) }}
            > (limits.as_of at time zone limits.time_zone)::date
        )
),

proofs as (
    select * from judged
    where is_proof and kind in ('dob', 'over') and today >= floor_age_on
),

overruled as (
    select judged.age_evidence_id
    from judged
    inner join proofs
        on
            judged.person_id = proofs.person_id
            and coalesce(judged.bound_name = proofs.bound_name, true)
    where
        (judged.kind = 'dob' and proofs.level > judged.level)
        or (
            judged.kind = 'under'
            and proofs.level >= judged.level
            and proofs.level > 2
            and proofs.verified_at > judged.verified_at
        )
),

counting as (
    select * from judged
    where
        kind in ('dob', 'under')
        and age_evidence_id not in (select age_evidence_id from overruled)
),

summed as (
    select
        person_id,
        world,
        time_zone,
        today,
        list(age_evidence_id order by age_evidence_id) as age_evidence_ids,
        max(floor_age_on) as floor_age_on,
        max(consent_age_on) as consent_age_on,
        coalesce(bool_or(kind = 'under' and threshold between 1 and floor_age), false)
            as is_under_floor,
        coalesce(bool_or(kind = 'under' and threshold between 1 and consent_age), false)
            as is_under_consent
    from counting
    group by person_id, world, time_zone, today
)

select
    person_id,
    world,
    age_evidence_ids,
    is_under_floor or coalesce(today < floor_age_on, false) as is_minor,
    -- Too young to consent to the use of their data: not written to at all.
    is_under_consent or coalesce(today < consent_age_on, false) as is_child,
    -- What was agreed to before this day was never agreed to.
    consent_age_on as may_consent_from,
    time_zone,
    case
        when today < consent_age_on then consent_age_on::timestamp at time zone time_zone
        when today < floor_age_on then floor_age_on::timestamp at time zone time_zone
    end as next_change_at
from summed
