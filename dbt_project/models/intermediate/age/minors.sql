with young as (
    select * from {{ ref('young_people') }}
),

users as (
    select
        readers_id,
        world,
        user_id
    from {{ ref('identifier_users') }}
),

records as (
    select * from {{ ref('record_users') }}
),

young_circles as (
    select distinct
        young.readers_id,
        young.age_evidence_ids,
        young.is_child,
        young.next_change_at,
        records.circle
    from young
    inner join users on young.readers_id = users.readers_id
    inner join records on users.user_id = records.user_id
    where young.is_minor or young.is_child
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

-- A minor closes every identifier that they may share with somebody. Readers of several circles
-- share nothing beyond what they read: an office's address, say.
suspected as (
    select
        circle,
        age_evidence_ids,
        is_child,
        next_change_at
    from young_circles
    qualify count(*) over (partition by readers_id) = 1
    union all
    select
        records.circle,
        []::varchar[] as age_evidence_ids,
        false as is_child,
        null as next_change_at
    from at_school
    inner join records on at_school.record_key = records.record_key
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

touched as (
    select distinct
        records.user_id,
        circles.*
    from records
    inner join circles on records.circle = circles.circle
),

suspects as (
    select
        users.readers_id,
        users.world,
        list_sort(list_distinct(flatten(list(touched.age_evidence_ids)))) as age_evidence_ids,
        bool_or(touched.is_child) as is_child,
        min(touched.next_change_at) as next_change_at
    from users
    inner join touched on users.user_id = touched.user_id
    group by users.readers_id, users.world
),

told as (
    select * from young
    where
        may_consent_from is not null
        or answered_until is not null
        or is_minor
        or is_child
)

select
    coalesce(suspects.readers_id, told.readers_id) as readers_id,
    coalesce(suspects.world, told.world) as world,
    list_sort(list_distinct(list_concat(
        suspects.age_evidence_ids, told.age_evidence_ids
    ))) as age_evidence_ids,
    suspects.readers_id is not null or told.is_minor or told.is_child as is_minor,
    coalesce(suspects.is_child, false) or coalesce(told.is_child, false) as is_child,
    -- What was agreed to before that day was never agreed to.
    told.may_consent_from,
    told.time_zone,
    told.answered_until,
    least(suspects.next_change_at, told.next_change_at) as next_change_at
from suspects
full join told on suspects.readers_id = told.readers_id
