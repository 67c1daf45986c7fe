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
    ], keys=['product_category', 'channel', 'country', 'effective_from']) }}
),

-- A region of its own rules is written as CA-QC; where the region is not known each of them counts.
regional as (
    select
        governed.world,
        governed.country,
        governed.region,
        governed.governing_country,
        legality.product_category,
        legality.channel,
        bool_and(
            case
                when
                    legality.unless_policy is not null
                    and {{ policy('legality.unless_policy', quoted=false) }} = 'true'
                    then not legality.lawful
                else legality.lawful
            end
        ) as lawful,
        min(legality.effective_to) as lawful_until
    from governed
    inner join clock on governed.world = clock.world
    inner join legality
        on
            governed.governing_country = split_part(legality.country, '-', 1)
            and coalesce(governed.world = legality.world, true)
    where
        contains(legality.country, '-')
        and coalesce(governed.region = split_part(legality.country, '-', 2), true)
        and {{ in_force('legality', 'clock.as_of') }}
    group by
        governed.world,
        governed.country,
        governed.region,
        governed.governing_country,
        legality.product_category,
        legality.channel
)

-- The nearest row on a channel, the country's, else that of all countries; of several countries
-- each must allow it.
select
    governed.world,
    governed.country,
    governed.region,
    asked.product_category,
    asked.channel,
    bool_and(case
        -- A known region goes by its own row; an unknown one by its country's and every region's.
        when governed.region is not null and regional.lawful is not null then regional.lawful
        else coalesce(regional.lawful, true) and coalesce(
            case
                when
                    there.unless_policy is not null
                    and {{ policy('there.unless_policy', quoted=false) }} = 'true'
                    then not there.lawful
                else there.lawful
            end,
            elsewhere.lawful,
            false
        )
    end) as is_lawful,
    least(
        min(there.effective_to),
        min(elsewhere.effective_to),
        min(regional.lawful_until),
        min(coming.effective_from)
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
left join regional
    on
        governed.world = regional.world
        and governed.governing_country = regional.governing_country
        and asked.product_category = regional.product_category
        and asked.channel = regional.channel
        and governed.region is not distinct from regional.region
        and governed.country is not distinct from regional.country
left join legality as coming
    on
        asked.product_category = coming.product_category
        and coalesce(governed.world = coming.world, true)
        and asked.channel = coming.channel
        and split_part(coming.country, '-', 1) in (governed.governing_country, '*')
        and coming.effective_from > asked.as_of
group by
    governed.world,
    governed.country,
    governed.region,
    asked.product_category,
    asked.channel
