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
),

young as (
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
),

components as (
    select
        records.person_id,
        records.world,
        records.record_key,
        components.circle
    from {{ ref('person_records') }} as records
    inner join {{ ref('identity_components') }} as components
        on records.record_key = components.record_key
),

-- Whoever has an address at a school may be a pupil of it.
at_school as (
    select
        keys.record_key,
        keys.world
    from {{ ref('identity_keys') }} as keys
    inner join (
        select domains.domain
        from (
            select distinct split_part(told, '@', -1) as domain
            from {{ ref('identity_keys') }}
            where key_type = 'email'
        ) as domains
        inner join {{ ref('school_domains') }} as schools
            on regexp_matches(domains.domain, schools.pattern)
        group by domains.domain
    ) as schools
        on split_part(keys.told, '@', -1) = schools.domain
    where keys.key_type = 'email'
),

-- A minor closes every identifier that they may share with somebody.
suspected as (
    select
        components.circle,
        young.age_evidence_ids,
        young.is_child,
        young.next_change_at
    from young
    inner join components on young.person_id = components.person_id
    union all
    select
        components.circle,
        []::varchar[] as age_evidence_ids,
        false as is_child,
        null as next_change_at
    from at_school
    inner join components on at_school.record_key = components.record_key
),

circles as (
    select
        circle,
        list_sort(list_distinct(flatten(list(age_evidence_ids)))) as age_evidence_ids,
        bool_or(is_child) as is_child,
        min(next_change_at) as next_change_at
    from suspected
    group by circle
)

select
    components.person_id,
    any_value(components.world) as world,
    list_sort(list_distinct(flatten(list(circles.age_evidence_ids)))) as age_evidence_ids,
    bool_or(circles.is_child) as is_child,
    min(circles.next_change_at) as next_change_at
from components
inner join circles on components.circle = circles.circle
group by components.person_id
