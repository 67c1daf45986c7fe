with young as (
    select * from {{ ref('young_people') }}
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
    inner join {{ ref('clock') }} as clock on keys.world = clock.world
    inner join (
        select
            domains.domain,
            schools.effective_from,
            schools.effective_to
        from (
            select distinct split_part(told, '@', -1) as domain
            from {{ ref('identity_keys') }}
            where key_type = 'email'
        ) as domains
        inner join {{ ref('school_domains') }} as schools
            on regexp_matches(domains.domain, schools.pattern)
        group by all
    ) as schools
        on
            split_part(keys.told, '@', -1) = schools.domain
            and {{ in_force('schools', 'clock.as_of') }}
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
    where young.is_minor or young.is_child
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
),

suspects as (
    select
        components.person_id,
        components.world,
        list_sort(list_distinct(flatten(list(circles.age_evidence_ids)))) as age_evidence_ids,
        bool_or(circles.is_child) as is_child,
        min(circles.next_change_at) as next_change_at
    from components
    inner join circles on components.circle = circles.circle
    group by components.person_id, components.world
),

told as (
    select * from young
    where may_consent_from is not null
)

select
    coalesce(suspects.person_id, told.person_id) as person_id,
    coalesce(suspects.world, told.world) as world,
    coalesce(suspects.age_evidence_ids, told.age_evidence_ids) as age_evidence_ids,
    suspects.person_id is not null as is_minor,
    coalesce(suspects.is_child, false) as is_child,
    -- What was agreed to before that day was never agreed to.
    told.may_consent_from,
    told.time_zone,
    suspects.next_change_at
from suspects
full join told on suspects.person_id = told.person_id
