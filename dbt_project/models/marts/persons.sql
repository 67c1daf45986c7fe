with records as (
    select * from {{ ref('customer_records_latest') }}
),

person_records as (
    select * from {{ ref('person_records') }}
),

clock as (
    select * from {{ ref('clock') }}
),

-- Where goods went, once per person and place.
shipments as (
    select
        events.person_id,
        events.country,
        events.region,
        max(events.occurred_at) as known_at
    from {{ ref('customer_events') }} as events
    inner join clock on events.world = clock.world
    where
        events.country is not null
        and events.person_id is not null
        and events.occurred_at < clock.as_of
    group by events.person_id, events.country, events.region
),

countries as (
    select * from {{ ref('country_names') }}
),

regions as (
    select * from {{ ref('region_names') }}
),

zones as (
    select name from pg_timezone_names()
),

prefixes as (
    select
        prefix,
        country
    from {{ ref('phone_countries') }}
),

numbers as (
    select
        record_key,
        substr(phone_key, length(world) + 2) as digits
    from records
    where phone_key is not null
),

-- A prefix such as +1 416 says more than +1.
phones as (
    select
        numbers.record_key,
        coalesce(long.country, middle.country, short.country, shortest.country) as country
    from numbers
    left join prefixes as long on left(numbers.digits, 4) = long.prefix
    left join prefixes as middle on left(numbers.digits, 3) = middle.prefix
    left join prefixes as short on left(numbers.digits, 2) = short.prefix
    left join prefixes as shortest on left(numbers.digits, 1) = shortest.prefix
),

places as (
    select
        shipments.person_id,
        1 as preference,
        countries.country,
        coalesce(regions.region, upper(shipments.region)) as region,
        shipments.known_at
    from shipments
    inner join countries on lower(trim(shipments.country)) = countries.name
    left join regions
        on
            countries.country = regions.country
            and lower(trim(shipments.region)) = regions.name
    union all
    select
        person_records.person_id,
        case records.place_kind when 'address' then 2 else 3 end as preference,
        records.country,
        records.region,
        records.updated_at as known_at
    from records
    inner join person_records on records.record_key = person_records.record_key
    where records.country is not null
    union all
    select
        person_records.person_id,
        4 as preference,
        phones.country,
        null as region,
        records.updated_at as known_at
    from phones
    inner join records on phones.record_key = records.record_key
    inner join person_records on phones.record_key = person_records.record_key
    where phones.country is not null
),

place as (
    select
        person_id,
        country,
        region
    from places
    qualify row_number() over (
        partition by person_id order by preference, known_at desc, country, region
    ) = 1
),

profile as (
    select
        person_records.person_id,
        any_value(person_records.world) as world,
        any_value(person_records.first_seen_record) as first_seen_record,
        arg_max(records.language, records.updated_at) as language,
        arg_max(zones.name, records.updated_at) as time_zone,
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
