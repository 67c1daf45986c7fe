with clock as (
    select
        world,
        as_of,
        {{ policy('unknown_time_zone') }} as unknown_time_zone,
        {{ policy('marketing_floor_age') }}::integer as floor_age,
        {{ policy('child_data_age') }}::integer as child_age
    from {{ ref('clock') }} as clock
),

readers as (
    select
        readers.readers_id,
        readers.world,
        coalesce(readers.time_zone, clock.unknown_time_zone) as time_zone,
        clock.as_of,
        clock.floor_age,
        clock.child_age
    from {{ ref('readers') }} as readers
    inner join clock on readers.world = clock.world
),

places as (
    select * from {{ ref('readers_places') }}
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
        readers.*,
        (readers.as_of at time zone readers.time_zone)::date as today,
        max(coalesce(
            greatest(there.consent_age, here.consent_age), anywhere.consent_age, readers.child_age
        )) as consent_age
    from readers
    inner join places on readers.readers_id = places.readers_id
    left join consents as there
        on
            readers.world = there.world
            and places.country = there.country
            and coalesce(places.region, '?') = there.region
    left join consents as here
        on readers.world = here.world and places.country = here.country and here.region = '*'
    left join consents as anywhere
        on
            readers.world = anywhere.world
            and anywhere.country = '*'
            and anywhere.region = '*'
    group by all
),

judged as (
    select
        limits.*,
        evidence.age_evidence_id,
        evidence.user_id,
        evidence.is_own,
        evidence.kind,
        evidence.level,
        evidence.bound_name,
        evidence.verified_at,
        evidence.recorded_at,
        evidence.stands_until,
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
    inner join {{ ref('readers_evidence') }} as evidence
        on limits.readers_id = evidence.readers_id
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
    select
        judged.readers_id,
        judged.age_evidence_id,
        min(proofs.stands_until) as answered_until
    from judged
    inner join proofs
        on
            judged.readers_id = proofs.readers_id
            and {{ same_person('judged', 'proofs') }}
    where
        (judged.kind = 'dob' and proofs.level > judged.level)
        or (
            judged.kind = 'under'
            and proofs.level >= judged.level
            and proofs.level > 2
            and proofs.verified_at > coalesce(judged.verified_at, judged.recorded_at)
        )
    group by judged.readers_id, judged.age_evidence_id
),

-- What outweighs a birth date now says nothing of the time before its own day.
outweighed as (
    select
        born.readers_id,
        born.age_evidence_id,
        min(stronger.consent_age_on) as consent_age_on,
        min(stronger.stands_until) as answered_until
    from judged as born
    inner join judged as stronger
        on
            born.readers_id = stronger.readers_id
            and {{ same_person('born', 'stronger') }}
    where born.kind = 'dob' and stronger.is_proof and born.level < stronger.level
    group by born.readers_id, born.age_evidence_id
),

-- The day before which no consent counts.
capable as (
    select
        born.readers_id,
        born.world,
        born.time_zone,
        max(least(born.consent_age_on, outweighed.consent_age_on)) as may_consent_from
    from judged as born
    left join outweighed
        on
            born.readers_id = outweighed.readers_id
            and born.age_evidence_id = outweighed.age_evidence_id
    where born.kind = 'dob'
    group by born.readers_id, born.world, born.time_zone
),

answered as (
    select
        readers_id,
        answered_until
    from overruled
    union all
    select
        readers_id,
        answered_until
    from outweighed
),

-- When a proof ends that answered something, that may come to count.
answers as (
    select
        limits.readers_id,
        limits.world,
        limits.time_zone,
        min(answered.answered_until) as answered_until
    from limits
    inner join answered on limits.readers_id = answered.readers_id
    where answered.answered_until is not null
    group by limits.readers_id, limits.world, limits.time_zone
),

suspicions as (
    select judged.*
    from judged
    anti join overruled
        on
            judged.readers_id = overruled.readers_id
            and judged.age_evidence_id = overruled.age_evidence_id
    where judged.kind in ('dob', 'under')
),

summed as (
    select
        readers_id,
        world,
        time_zone,
        today,
        list(age_evidence_id order by age_evidence_id) as age_evidence_ids,
        max(floor_age_on) as floor_age_on,
        max(case when kind = 'dob' then consent_age_on end) as consent_age_on,
        coalesce(bool_or(under_age between 1 and floor_age), false) as is_under_floor,
        coalesce(bool_or(under_age between 1 and consent_age), false) as is_under_consent
    from suspicions
    group by readers_id, world, time_zone, today
)

select
    coalesce(summed.readers_id, capable.readers_id, answers.readers_id) as readers_id,
    coalesce(summed.world, capable.world, answers.world) as world,
    coalesce(summed.age_evidence_ids, []) as age_evidence_ids,
    coalesce(summed.time_zone, capable.time_zone, answers.time_zone) as time_zone,
    coalesce(summed.is_under_floor or summed.today < summed.floor_age_on, false) as is_minor,
    -- Too young to consent to the use of their data: not written to at all.
    coalesce(summed.is_under_consent or summed.today < summed.consent_age_on, false) as is_child,
    capable.may_consent_from,
    answers.answered_until,
    case
        when summed.today < summed.consent_age_on
            then summed.consent_age_on::timestamp at time zone summed.time_zone
        when summed.today < summed.floor_age_on
            then summed.floor_age_on::timestamp at time zone summed.time_zone
    end as next_change_at
from summed
full join capable on summed.readers_id = capable.readers_id
full join answers on coalesce(summed.readers_id, capable.readers_id) = answers.readers_id
