with records as (
    select * from {{ ref('customer_records_latest') }}
),

person_records as (
    select * from {{ ref('person_records') }}
),

zones as (
    select name from pg_timezone_names()
),

place as (
    select * from {{ ref('person_places') }}
    where is_first
),

profile as (
    select
        person_records.person_id,
        any_value(person_records.world) as world,
        any_value(person_records.first_seen_record) as first_seen_record,
        arg_max(records.language, records.updated_at) as language,
        -- Of several zones none is known to be the person's.
        case when count(distinct zones.name) = 1 then any_value(zones.name) end as time_zone,
        count(*) as record_count,
        min(person_records.created_at) as first_seen_at
    from person_records
    inner join records on person_records.record_key = records.record_key
    left join zones on records.time_zone = zones.name
    group by person_records.person_id
)

select
    profile.person_id,
    profile.world,
    profile.first_seen_record,
    place.country,
    place.region,
    profile.time_zone,
    profile.language,
    profile.record_count,
    profile.first_seen_at
from profile
left join place on profile.person_id = place.person_id
