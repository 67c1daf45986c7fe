{{ config(materialized='view') }}

with clock as (
    select * from {{ ref('clock') }}
),

hours as (
    select
        clock.world,
        hours.*
    from {{ ref('quiet_hours') }} as hours
    inner join clock on {{ in_force('hours', 'clock.as_of') }}
),

persons as (
    select * from {{ ref('persons') }}
),

places as (
    select * from {{ ref('person_places') }}
),

-- Regions with hours of their own.
regions as (
    select distinct
        world,
        country,
        region
    from hours
    where region <> '*'
),

bound as (
    select
        places.person_id,
        hours.weekday,
        hours.opens,
        hours.closes
    from places
    inner join hours on places.world = hours.world and places.country = hours.country
    left join regions
        on
            places.world = regions.world
            and places.country = regions.country
            and places.region = regions.region
    where
        -- Where the region is not known, each of them counts.
        places.region is null
        or hours.region = coalesce(regions.region, '*')
    union all
    -- And where nothing is known, every rule.
    select
        persons.person_id,
        hours.weekday,
        hours.opens,
        hours.closes
    from persons
    inner join hours on persons.world = hours.world
    anti join places on persons.person_id = places.person_id
),

strictest as (
    select
        person_id,
        weekday,
        max(opens) as opens,
        min(closes) as closes,
        bool_or(opens is null) as is_closed
    from bound
    group by person_id, weekday
)

select
    strictest.person_id,
    strictest.weekday,
    case
        when not strictest.is_closed and strictest.opens < strictest.closes then strictest.opens
    end as opens,
    case
        when not strictest.is_closed and strictest.opens < strictest.closes then strictest.closes
    end as closes,
    persons.time_zone
from strictest
inner join persons on strictest.person_id = persons.person_id
