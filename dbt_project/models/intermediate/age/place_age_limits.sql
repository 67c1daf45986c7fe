with asked as (
    select distinct
        world,
        product_category,
        as_of
    from {{ ref('questions') }}
    where product_category <> 'none'
),

governed as (
    select * from {{ ref('governing_countries') }}
),

fallbacks as (
    select
        category,
        category as takes_rules_of,
        1 as preference,
        null::date as effective_from,
        null::date as effective_to
    from {{ ref('minimum_age') }}
    group by category
    union all
    select
        category,
        takes_rules_of,
        2 as preference,
        effective_from,
        effective_to
    from {{ ref('category_fallbacks') }}
),

ages as (
    select * from {{ rules_of('minimum_age', [
        'category', 'country', 'region', 'kind', 'value', 'effective_from', 'effective_to'
    ], keys=['category', 'country', 'region', 'kind', 'effective_from']) }}
),

-- Every row of the age rules that a place might go by, the nearest first.
candidates as (
    select
        governed.world,
        governed.country,
        governed.region,
        governed.governing_country,
        asked.product_category,
        asked.as_of,
        ages.kind,
        ages.value,
        ages.effective_from,
        ages.effective_to,
        {{ in_force('ages', 'asked.as_of') }} as holds,
        case
            -- A known region takes its own rows, then the country's.
            when ages.region = governed.region and ages.country = governed.governing_country
                then fallbacks.preference
            when ages.country = '*' then 5
            when ages.region = '*' and governed.region is not null then 2 + fallbacks.preference
            -- An unknown region takes all rows of the country together.
            when governed.region is null then fallbacks.preference
        end as nearness,
        governed.region is null and ages.region <> '*' and ages.value = '999'
            as is_ban_of_another_region
    from governed
    inner join asked on governed.world = asked.world
    inner join fallbacks
        on
            asked.product_category = fallbacks.category
            and {{ in_force('fallbacks', 'asked.as_of') }}
    inner join ages
        on
            fallbacks.takes_rules_of = ages.category
            and ages.country in (governed.governing_country, '*')
            and coalesce(governed.world = ages.world, true)
    where ages.region in ('*', governed.region) or governed.region is null
),

nearest as (
    select
        world,
        country,
        region,
        governing_country,
        product_category,
        min(nearness) as nearness
    from candidates
    where holds
    group by all
),

chosen as (
    select candidates.*
    from candidates
    inner join nearest
        on
            candidates.world = nearest.world
            and candidates.country is not distinct from nearest.country
            and candidates.region is not distinct from nearest.region
            and candidates.governing_country = nearest.governing_country
            and candidates.product_category = nearest.product_category
    where
        candidates.nearness = nearest.nearness
        or (not candidates.holds and candidates.nearness < nearest.nearness)
)

-- Rows of a place that are in force bind together. 999 of a whole country outweighs its regions
-- where the region is not known; otherwise no region's ban speaks for another.
select
    world,
    country,
    region,
    product_category,
    max(try_cast(value as integer)) filter (
        where holds and kind = 'age' and not is_ban_of_another_region
    ) as minimum_age,
    max(try_cast(value as integer)) filter (where holds and kind = 'year_of') as year_of,
    min(try_cast(value as date)) filter (where holds and kind = 'born_before') as born_before,
    least(
        min(effective_from) filter (where effective_from > as_of),
        min(effective_to) filter (where effective_to > as_of)
    ) as rule_changes_on
from chosen
group by world, country, region, product_category
