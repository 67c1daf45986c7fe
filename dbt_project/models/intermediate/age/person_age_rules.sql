with clock as (
    select
        world,
        as_of,
        {{ policy('unknown_time_zone') }} as unknown_time_zone,
        {{ policy('marketing_floor_age') }}::integer as floor_age
    from {{ ref('clock') }} as clock
),

persons as (
    select
        persons.person_id,
        persons.world,
        clock.as_of,
        clock.floor_age,
        coalesce(persons.time_zone, clock.unknown_time_zone) as time_zone
    from {{ ref('persons') }} as persons
    inner join clock on persons.world = clock.world
),

places as (
    select * from {{ ref('person_places') }}
),

jurisdictions as (
    select * from {{ ref('jurisdictions') }}
)

-- The rules of all places that count for a person, bound together: the strictest of each kind.
select
    persons.person_id,
    persons.world,
    jurisdictions.product_category,
    jurisdictions.channel,
    any_value(persons.time_zone) as time_zone,
    any_value((persons.as_of at time zone persons.time_zone)::date) as today,
    any_value(persons.as_of) as as_of,
    max(jurisdictions.required_level) as required_level,
    -- Where no sale is lawful, age is asked of as wherever restricted goods are advertised.
    case
        when max(jurisdictions.minimum_age) < 999 then max(jurisdictions.minimum_age)
        else any_value(persons.floor_age)
    end as minimum_age,
    max(jurisdictions.year_of) as year_of,
    min(jurisdictions.born_before) as born_before,
    list_sort(list_distinct(flatten(list(jurisdictions.reason_codes)))) as reason_codes,
    min(jurisdictions.rule_changes_on) as rule_changes_on
from persons
left join places on persons.person_id = places.person_id
-- Without any place the row without a country speaks.
inner join jurisdictions
    on
        persons.world = jurisdictions.world
        and places.country is not distinct from jurisdictions.country
        and places.region is not distinct from jurisdictions.region
group by persons.person_id, persons.world, jurisdictions.product_category, jurisdictions.channel
