with clock as (
    select * from {{ ref('clock') }}
),

persons as (
    select
        persons.person_id,
        persons.world,
        coalesce(persons.time_zone, {{ policy('unknown_time_zone') }}) as time_zone,
        clock.as_of,
        {{ policy('marketing_floor_age') }}::integer as floor_age,
        {{ policy('child_data_age') }}::integer as child_age
    from {{ ref('persons') }} as persons
    inner join clock on persons.world = clock.world
),

places as (
    select * from {{ ref('person_places') }}
),

-- The birth dates of each person's highest level, and of them the youngest.
births as (
    select
        person_id,
        max(value) as born_on,
        list(age_evidence_id order by age_evidence_id) as age_evidence_ids
    from {{ ref('credible_age_evidence') }}
    where kind = 'dob' and value < verified_at::date
    group by person_id, level
    qualify row_number() over (partition by person_id order by level desc) = 1
),

ages as (
    select * from {{ rules_of('minimum_age', [
        'category', 'country', 'region', 'kind', 'value', 'effective_from', 'effective_to'
    ]) }}
),

-- From when on one's own consent to the use of one's data counts, by country.
consents as (
    select
        clock.world,
        ages.country,
        max(try_cast(ages.value as integer)) as consent_age
    from clock
    inner join ages on coalesce(clock.world = ages.world, true)
    where
        ages.category = 'data_consent'
        and ages.kind = 'age'
        and ages.region = '*'
        and {{ in_force('ages', 'clock.as_of') }}
    group by clock.world, ages.country
),

-- Where several countries count, the one that protects longest does.
aged as (
    select
        persons.*,
        births.born_on,
        births.age_evidence_ids,
        (persons.as_of at time zone persons.time_zone)::date as today,
        max(coalesce(here.consent_age, anywhere.consent_age, persons.child_age)) as consent_age
    from persons
    inner join births on persons.person_id = births.person_id
    left join places on persons.person_id = places.person_id
    left join consents as here
        on persons.world = here.world and places.country = here.country
    left join consents as anywhere
        on persons.world = anywhere.world and anywhere.country = '*'
    group by all
)

select
    person_id,
    world,
    age_evidence_ids,
    -- Too young to consent to the use of their data: not written to at all.
    today < {{ birthday('born_on', 'consent_age') }} as is_child,
    case
        when today < {{ birthday('born_on', 'consent_age') }}
            then {{ birthday('born_on', 'consent_age') }}::timestamp at time zone time_zone
        else {{ birthday('born_on', 'floor_age') }}::timestamp at time zone time_zone
    end as next_change_at
from aged
where today < {{ birthday('born_on', 'floor_age') }}
