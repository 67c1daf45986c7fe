with clock as (
    select * from {{ ref('clock') }}
),

persons as (
    select * from {{ ref('persons') }}
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

consents as (
    select * from {{ ref('minimum_age') }}
    where category = 'data_consent' and kind = 'age' and region = '*'
),

aged as (
    select
        persons.person_id,
        persons.world,
        persons.country,
        births.born_on,
        births.age_evidence_ids,
        coalesce(persons.time_zone, {{ policy('unknown_time_zone') }}) as time_zone,
        (clock.as_of at time zone coalesce(persons.time_zone, {{ policy('unknown_time_zone') }}))::date
            as today,
        {{ policy('marketing_floor_age') }}::integer as floor_age,
        coalesce(here.minimum_age, anywhere.minimum_age, {{ policy('child_data_age') }}::integer)
            as consent_age
    from persons
    inner join clock on persons.world = clock.world
    inner join births on persons.person_id = births.person_id
    left join consents as here on persons.country = here.country
    left join consents as anywhere on anywhere.country = '*'
)

select
    person_id,
    world,
    age_evidence_ids,
    today < {{ birthday('born_on', 'floor_age') }} as is_minor,
    -- Too young to consent to the use of their data: not written to at all.
    today < {{ birthday('born_on', 'consent_age') }} as is_child,
    case
        when today < {{ birthday('born_on', 'consent_age') }}
            then {{ birthday('born_on', 'consent_age') }}::timestamp at time zone time_zone
        when today < {{ birthday('born_on', 'floor_age') }}
            then {{ birthday('born_on', 'floor_age') }}::timestamp at time zone time_zone
    end as next_change_at
from aged
where today < {{ birthday('born_on', 'floor_age') }}
