-- A part of a person may use an identifier alone, or with others.
with parts as (
    select distinct person_id
    from {{ ref('record_users') }}
    where user_id <> person_id
),

whole as (
    select persons.*
    from {{ ref('persons') }} as persons
    anti join parts on persons.person_id = parts.person_id
),

others as (
    select distinct
        users.readers_id,
        users.world,
        users.user_id
    from {{ ref('identifier_users') }} as users
    anti join whole on users.readers_id = whole.person_id
),

known_zones as (
    select name from pg_timezone_names()
),

zones as (
    select distinct
        records.user_id,
        known_zones.name as time_zone
    from {{ ref('record_users') }} as records
    semi join others on records.user_id = others.user_id
    inner join {{ ref('customer_records_latest') }} as latest
        on records.record_key = latest.record_key
    inner join known_zones on latest.time_zone = known_zones.name
)

select
    person_id as readers_id,
    world,
    1 as user_count,
    time_zone
from whole
union all
select
    others.readers_id,
    others.world,
    count(distinct others.user_id) as user_count,
    -- Of several zones none is known to be theirs.
    case when min(zones.time_zone) = max(zones.time_zone) then min(zones.time_zone) end as time_zone
from others
left join zones on others.user_id = zones.user_id
group by others.readers_id, others.world
