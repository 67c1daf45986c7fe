with asked as (
    select distinct
        world,
        channel,
        product_category,
        as_of
    from {{ ref('questions') }}
    where product_category <> 'none'
),

places as (
    select distinct
        world,
        country,
        region
    from {{ ref('persons') }}
),

ages as (
    select * from {{ ref('minimum_age') }}
),

legality as (
    select * from {{ ref('channel_category_legality') }}
),

levels as (
    select * from {{ ref('age_levels_required') }}
),

-- Where the region is unknown, the strictest lawful age of the country stands for all of it.
countries as (
    select
        category,
        country,
        max(minimum_age) filter (where region = '*') as whole_country,
        max(minimum_age) filter (where minimum_age < 999) as strictest_lawful
    from ages
    group by category, country
),

ruled as (
    select
        places.world,
        places.country,
        places.region,
        asked.product_category,
        asked.channel,
        levels.level as required_level,
        case
            when places.region is not null
                then coalesce(exact.minimum_age, by_country.whole_country, world.whole_country)
            when by_country.whole_country = 999 then 999
            else coalesce(by_country.strictest_lawful, world.whole_country)
        end as minimum_age,
        coalesce(lawful_there.lawful, lawful_elsewhere.lawful, false) as lawful_on_channel,
        exists (
            from legality
            where
                legality.product_category = asked.product_category
                and legality.channel = asked.channel
                and legality.lawful
        ) as lawful_somewhere
    from places
    inner join asked on places.world = asked.world
    left join ages as exact
        on
            asked.product_category = exact.category
            and places.country = exact.country
            and places.region = exact.region
    left join countries as by_country
        on asked.product_category = by_country.category and places.country = by_country.country
    left join countries as world
        on asked.product_category = world.category and world.country = '*'
    left join legality as lawful_there
        on
            asked.product_category = lawful_there.product_category
            and asked.channel = lawful_there.channel
            and places.country = lawful_there.country
            and {{ in_force('lawful_there', 'asked.as_of') }}
    left join legality as lawful_elsewhere
        on
            asked.product_category = lawful_elsewhere.product_category
            and asked.channel = lawful_elsewhere.channel
            and lawful_elsewhere.country = '*'
            and {{ in_force('lawful_elsewhere', 'asked.as_of') }}
    left join levels
        on
            asked.product_category = levels.product_category
            and {{ in_force('levels', 'asked.as_of') }}
)

select
    world,
    country,
    region,
    product_category,
    channel,
    -- Restricted goods are never advertised to anyone under 18, whatever the law of purchase.
    coalesce(required_level, 5) as required_level,
    greatest(coalesce(minimum_age, 999), 18) as minimum_age,
    list_filter([
        case
            when country is not null and coalesce(minimum_age, 999) = 999
                then 'category_prohibited_there'
        end,
        case
            when country is not null and not lawful_on_channel then 'category_prohibited_on_channel'
            when country is null and not lawful_somewhere then 'category_prohibited_on_channel'
        end,
        case when country is null then 'jurisdiction_unknown' end
    ], lambda code: code is not null) as reason_codes
from ruled
