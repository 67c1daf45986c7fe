with clock as (
    select
        world,
        as_of,
        {{ policy('unknown_time_zone') }} as unknown_time_zone,
        {{ policy('marketing_floor_age') }}::integer as floor_age
    from {{ ref('clock') }} as clock
),

readers as (
    select
        readers.readers_id,
        readers.world,
        readers.user_count,
        clock.as_of,
        clock.floor_age,
        coalesce(readers.time_zone, clock.unknown_time_zone) as time_zone
    from {{ ref('readers') }} as readers
    inner join clock on readers.world = clock.world
),

places as (
    select * from {{ ref('readers_places') }}
),

jurisdictions as (
    select * from {{ ref('jurisdictions') }}
)

-- The rules of all places that count for them, bound together: the strictest of each kind.
select
    readers.readers_id,
    readers.world,
    jurisdictions.product_category,
    jurisdictions.channel,
    any_value(readers.user_count) as user_count,
    any_value(readers.time_zone) as time_zone,
    any_value((readers.as_of at time zone readers.time_zone)::date) as today,
    any_value(readers.as_of) as as_of,
    max(jurisdictions.required_level) as required_level,
    -- Where no sale is lawful, age is asked of as wherever restricted goods are advertised.
    case
        when max(jurisdictions.minimum_age) < 999 then max(jurisdictions.minimum_age)
        else any_value(readers.floor_age)
    end as minimum_age,
    max(jurisdictions.year_of) as year_of,
    min(jurisdictions.born_before) as born_before,
    list_sort(list_distinct(flatten(list(jurisdictions.reason_codes)))) as reason_codes,
    min(jurisdictions.rule_changes_on) as rule_changes_on
from readers
inner join places on readers.readers_id = places.readers_id
-- Without any place the row without a country speaks.
inner join jurisdictions
    on
        readers.world = jurisdictions.world
        and places.country is not distinct from jurisdictions.country
        and places.region is not distinct from jurisdictions.region
group by
    readers.readers_id, readers.world, jurisdictions.product_category, jurisdictions.channel
