with young as (
    select * from {{ ref('young_people') }}
),

users as (
    select distinct
        readers_id,
        world,
        user_id
    from {{ ref('identifier_users') }}
),

circles_of as (
    select distinct
        users.readers_id,
        users.world,
        records.circle
    from users
    inner join {{ ref('record_users') }} as records on users.user_id = records.user_id
),

-- Readers of several circles share nothing beyond what they read: an office's address, say.
circle_young as (
    select
        max(circles_of.circle) as circle,
        any_value(young.age_evidence_ids) as age_evidence_ids,
        any_value(young.is_child) as is_child,
        any_value(young.next_change_at) as next_change_at
    from young
    inner join circles_of on young.readers_id = circles_of.readers_id
    where young.is_minor or young.is_child
    group by young.readers_id
    having count(*) = 1
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
    select * from circle_young
    union all
    select
        records.circle,
        []::varchar[] as age_evidence_ids,
        false as is_child,
        null as next_change_at
    from at_school
    inner join {{ ref('record_users') }} as records
        on at_school.record_key = records.record_key
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
        circles_of.readers_id,
        circles_of.world,
        list_sort(list_distinct(flatten(list(circles.age_evidence_ids)))) as age_evidence_ids,
        bool_or(circles.is_child) as is_child,
        min(circles.next_change_at) as next_change_at
    from circles_of
    inner join circles on circles_of.circle = circles.circle
    group by circles_of.readers_id, circles_of.world
),

told as (
    select * from young
    where may_consent_from is not null or is_minor or is_child
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
    least(suspects.next_change_at, told.next_change_at) as next_change_at
from suspects
full join told on suspects.readers_id = told.readers_id
