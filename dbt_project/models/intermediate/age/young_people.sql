with clock as (
    select
        world,
        as_of,
        {{ policy('unknown_time_zone') }} as unknown_time_zone,
        {{ policy('marketing_floor_age') }}::integer as floor_age,
        {{ policy('child_data_age') }}::integer as child_age
    from {{ ref('clock') }} as clock
),

persons as (
    select
        persons.person_id,
        persons.world,
        coalesce(persons.time_zone, clock.unknown_time_zone) as time_zone,
        clock.as_of,
        clock.floor_age,
        clock.child_age
    from {{ ref('persons') }} as persons
    inner join clock on persons.world = clock.world
),

places as (
    select * from {{ ref('person_places') }}
),

ages as (
    select * from {{ rules_of('minimum_age', [
        'category', 'country', 'region', 'kind', 'value', 'effective_from', 'effective_to'
    ], keys=['category', 'country', 'region', 'kind', 'effective_from']) }}
),

in_force as (
    select
        clock.world,
        ages.country,
        ages.region,
        try_cast(ages.value as integer) as consent_age
    from clock
    inner join ages on coalesce(clock.world = ages.world, true)
    where
        ages.category = 'data_consent'
        and ages.kind = 'age'
        and {{ in_force('ages', 'clock.as_of') }}
),

-- From when on one's own consent to the use of one's data counts, by country and region; a country
-- whose region is not known takes the highest of them.
consents as (
    select
        world,
        country,
        region,
        max(consent_age) as consent_age
    from in_force
    group by world, country, region
    union all
    select
        world,
        country,
        '?' as region,
        max(consent_age) as consent_age
    from in_force
    group by world, country
),

-- Where several countries count, the one that protects longest does.
limits as (
    select
        persons.*,
        (persons.as_of at time zone persons.time_zone)::date as today,
        max(coalesce(
            greatest(there.consent_age, here.consent_age), anywhere.consent_age, persons.child_age
        )) as consent_age
    from persons
    left join places on persons.person_id = places.person_id
    left join consents as there
        on
            persons.world = there.world
            and places.country = there.country
            and coalesce(places.region, '?') = there.region
    left join consents as here
        on persons.world = here.world and places.country = here.country and here.region = '*'
    left join consents as anywhere
        on
            persons.world = anywhere.world
            and anywhere.country = '*'
            and anywhere.region = '*'
    group by all
),

judged as (
    select
        limits.*,
        evidence.age_evidence_id,
        evidence.kind,
        evidence.level,
        evidence.bound_name,
        evidence.verified_at,
        evidence.recorded_at,
        evidence.is_bound
        and not evidence.is_dead
        and coalesce(evidence.stands_until > limits.as_of, true) as is_proof,
        -- The day from which the person was as old, as far as this evidence tells.
        case evidence.kind
            when 'dob' then {{ birthday('evidence.value', 'limits.floor_age') }}
            when 'over'
                then {{ birthday(
                    'evidence.verified_at::date', 'limits.floor_age - evidence.threshold'
                ) }}
        end as floor_age_on,
        case evidence.kind
            when 'dob' then {{ birthday('evidence.value', 'limits.consent_age') }}
            when 'over'
                then {{ birthday(
                    'evidence.verified_at::date',
                    'greatest(limits.consent_age - evidence.threshold, 0)',
                ) }}
        end as consent_age_on,
        case when evidence.kind = 'under' then evidence.threshold end as under_age
    from limits
    inner join {{ ref('credible_age_evidence') }} as evidence
        on limits.person_id = evidence.person_id
    where
        evidence.kind in ('over', 'under')
        or (
            evidence.kind = 'dob'
            and evidence.value < evidence.recorded_on
            and {{ birthday('evidence.value', 115) }} > limits.today
        )
),

proofs as (
    select * from judged
    where is_proof and today >= floor_age_on
),

-- As in age_state: a birth date yields to stronger proof, a failed check to later proof.
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
            and proofs.verified_at > coalesce(judged.verified_at, judged.recorded_at)
        )
),

-- The day before which no consent counts. What outweighs a birth date now says nothing of the time
-- before its own day.
capable as (
    select
        person_id,
        world,
        time_zone,
        max(consent_age_on) as may_consent_from
    from (
        select
            born.person_id,
            born.world,
            born.time_zone,
            least(born.consent_age_on, min(stronger.consent_age_on)) as consent_age_on
        from judged as born
        left join judged as stronger
            on
                born.person_id = stronger.person_id
                and coalesce(born.bound_name = stronger.bound_name, true)
                and stronger.is_proof
                and born.level < stronger.level
        where born.kind = 'dob'
        group by
            born.person_id, born.world, born.time_zone, born.age_evidence_id, born.consent_age_on
    ) as dates
    group by person_id, world, time_zone
),

suspicions as (
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
        max(case when kind = 'dob' then consent_age_on end) as consent_age_on,
        coalesce(bool_or(under_age between 1 and floor_age), false) as is_under_floor,
        coalesce(bool_or(under_age between 1 and consent_age), false) as is_under_consent
    from suspicions
    group by person_id, world, time_zone, today
)

select
    coalesce(summed.person_id, capable.person_id) as person_id,
    coalesce(summed.world, capable.world) as world,
    coalesce(summed.age_evidence_ids, []) as age_evidence_ids,
    coalesce(summed.time_zone, capable.time_zone) as time_zone,
    coalesce(summed.is_under_floor or summed.today < summed.floor_age_on, false) as is_minor,
    -- Too young to consent to the use of their data: not written to at all.
    coalesce(summed.is_under_consent or summed.today < summed.consent_age_on, false) as is_child,
    capable.may_consent_from,
    case
        when summed.today < summed.consent_age_on
            then summed.consent_age_on::timestamp at time zone summed.time_zone
        when summed.today < summed.floor_age_on
            then summed.floor_age_on::timestamp at time zone summed.time_zone
    end as next_change_at
from summed
full join capable on summed.person_id = capable.person_id
