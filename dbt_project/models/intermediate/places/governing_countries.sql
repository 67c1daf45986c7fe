with clock as (
    select * from {{ ref('clock') }}
),

places as (
    select distinct
        world,
        country,
        region
    from {{ ref('person_places') }}
    where country is not null
)

select
    world,
    country,
    region,
    country as governing_country
from places
union all
-- Somebody whose place is not known stands under the law of every country that the shop sells to.
select
    clock.world,
    null as country,
    null as region,
    unnest(string_split({{ policy('markets') }}, ',')) as governing_country
from clock
