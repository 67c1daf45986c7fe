with clock as (
    select * from {{ ref('clock') }}
),

records as (
    select
        person_records.person_id,
        records.*
    from {{ ref('customer_records_latest') }} as records
    inner join {{ ref('person_records') }} as person_records
        on records.record_key = person_records.record_key
),

-- Where goods went, once per person and place.
shipments as (
    select
        events.person_id,
        events.world,
        events.country,
        events.region,
        max(events.occurred_at) as known_at
    from {{ ref('customer_events') }} as events
    inner join clock on events.world = clock.world
    where
        events.country is not null
        and events.person_id is not null
        and events.occurred_at <= clock.as_of
        and events.recorded_at <= clock.known_at
    group by events.person_id, events.world, events.country, events.region
),

countries as (
    select * from {{ ref('country_names') }}
),

regions as (
    select * from {{ ref('region_names') }}
),

prefixes as (
    select
        prefix,
        country
    from {{ ref('phone_countries') }}
),

numbers as (
    select
        *,
        substr(phone_key, length(world) + 2) as digits
    from records
    where phone_key is not null
)

-- Newest delivery, then billing address, then the number's country, then where a device was.
select
    shipments.person_id,
    shipments.world,
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
    person_id,
    world,
    case place_kind when 'address' then 2 else 4 end as preference,
    country,
    region,
    updated_at as known_at
from records
where country is not null
union all
-- A prefix such as +1 416 says more than +1.
select
    numbers.person_id,
    numbers.world,
    3 as preference,
    coalesce(long.country, middle.country, short.country, shortest.country) as country,
    null as region,
    numbers.updated_at as known_at
from numbers
left join prefixes as long on left(numbers.digits, 4) = long.prefix
left join prefixes as middle on left(numbers.digits, 3) = middle.prefix
left join prefixes as short on left(numbers.digits, 2) = short.prefix
left join prefixes as shortest on left(numbers.digits, 1) = shortest.prefix
where coalesce(long.country, middle.country, short.country, shortest.country) is not null
