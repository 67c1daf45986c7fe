with asked as (
    select distinct
        world,
        channel,
        product_category,
        as_of
    from {{ ref('questions') }}
    where product_category <> 'none'
),

clock as (
    select * from {{ ref('clock') }}
),

governed as (
    select * from {{ ref('governing_countries') }}
),

legality as (
    select * from {{ rules_of('channel_category_legality', [
        'product_category', 'channel', 'country', 'lawful', 'unless_policy', 'effective_from', 'effective_to'
    ]) }}
)

-- The nearest row on a channel, the country's, else that of all countries; of several countries
-- each must allow it.
select
    governed.world,
    governed.country,
    governed.region,
    asked.product_category,
    asked.channel,
    bool_and(coalesce(
        case
            when
                there.unless_policy is not null
                and {{ policy('there.unless_policy', quoted=false) }} = 'true'
                then not there.lawful
            else there.lawful
        end,
        elsewhere.lawful,
        false
    )) as is_lawful,
    least(
        min(there.effective_to), min(elsewhere.effective_to), min(coming.effective_from)
    ) as law_changes_on
from governed
inner join clock on governed.world = clock.world
inner join asked on governed.world = asked.world
left join legality as there
    on
        asked.product_category = there.product_category
        and coalesce(governed.world = there.world, true)
        and asked.channel = there.channel
        and governed.governing_country = there.country
        and {{ in_force('there', 'asked.as_of') }}
left join legality as elsewhere
    on
        asked.product_category = elsewhere.product_category
        and coalesce(governed.world = elsewhere.world, true)
        and asked.channel = elsewhere.channel
        and elsewhere.country = '*'
        and {{ in_force('elsewhere', 'asked.as_of') }}
left join legality as coming
    on
        asked.product_category = coming.product_category
        and coalesce(governed.world = coming.world, true)
        and asked.channel = coming.channel
        and coming.country in (governed.governing_country, '*')
        and coming.effective_from > asked.as_of
group by
    governed.world,
    governed.country,
    governed.region,
    asked.product_category,
    asked.channel
