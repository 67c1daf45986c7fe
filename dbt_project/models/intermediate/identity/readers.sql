with readers as (
    select distinct
        readers_id,
        world,
        user_id
    from {{ ref('identifier_users') }}
),

known_zones as (
    select name from pg_timezone_names()
),

zones as (
    select
        records.user_id,
        min(known_zones.name) as first_zone,
        max(known_zones.name) as last_zone
    from {{ ref('record_users') }} as records
    inner join {{ ref('customer_records_latest') }} as latest
        on records.record_key = latest.record_key
    inner join known_zones on latest.time_zone = known_zones.name
    group by records.user_id
)

select
    readers.readers_id,
    any_value(readers.world) as world,
    count(*) as user_count,
    -- Of several zones none is known to be theirs.
    case
        when min(zones.first_zone) = max(zones.last_zone) then min(zones.first_zone)
    end as time_zone
from readers
left join zones on readers.user_id = zones.user_id
group by readers.readers_id
