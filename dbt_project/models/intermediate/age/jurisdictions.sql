with asked as (
    select distinct
        questions.world,
        questions.channel,
        questions.product_category,
        questions.as_of
    from {{ ref('questions') }} as questions
    where questions.product_category <> 'none'
),

clock as (
    select * from {{ ref('clock') }}
),

-- Somebody whose place is not known is asked about the places that the shop sells to.
places as (
    select distinct
        world,
        country,
        region
    from {{ ref('person_places') }}
    union all
    select
        clock.world,
        null as country,
        null as region
    from clock
),

fallbacks as (
    select
        category,
        category as takes_rules_of,
        1 as preference
    from {{ ref('minimum_age') }}
    group by category
    union all
    select
        category,
        takes_rules_of,
        2 as preference
    from {{ ref('category_fallbacks') }}
),

ages as (
    select * from {{ rules_of('minimum_age', [
        'category', 'country', 'region', 'kind', 'value', 'effective_from', 'effective_to'
    ]) }}
),

legality as (
    select * from {{ rules_of('channel_category_legality', [
        'product_category', 'channel', 'country', 'lawful', 'unless_policy', 'effective_from', 'effective_to'
    ]) }}
),

levels as (
    select * from {{ ref('age_levels_required') }}
),

-- The countries whose rules a place stands under: its own, or all markets when it is not known.
under as (
    select
        places.world,
        places.country,
        places.region,
        places.country as ruled_by
    from places
    where places.country is not null
    union all
    select
        places.world,
        places.country,
        places.region,
        unnest(string_split({{ policy('markets') }}, ',')) as ruled_by
    from places
    inner join clock on places.world = clock.world
    where places.country is null
),

-- Every row of the age rules that a place might go by, the nearest first.
candidates as (
    select
        under.world,
        under.country,
        under.region,
        under.ruled_by,
        asked.product_category,
        asked.channel,
        asked.as_of,
        ages.kind,
        ages.value,
        ages.effective_from,
        ages.effective_to,
        {{ in_force('ages', 'asked.as_of') }} as holds,
        case
            -- A known region takes its own rows, then the country's.
            when ages.region = under.region and ages.country = under.ruled_by then fallbacks.preference
            when ages.country = '*' then 5
            when ages.region = '*' and under.region is not null then 2 + fallbacks.preference
            -- An unknown region takes all rows of the country together.
            when under.region is null then fallbacks.preference
        end as nearness,
        ages.region = '*' as is_whole_country
    from under
    inner join asked on under.world = asked.world
    inner join fallbacks on asked.product_category = fallbacks.category
    inner join ages
        on
            fallbacks.takes_rules_of = ages.category
            and ages.country in (under.ruled_by, '*')
            and coalesce(ages.world = under.world, true)
    where ages.region in ('*', under.region) or under.region is null
),

nearest as (
    select
        world,
        country,
        region,
        ruled_by,
        product_category,
        channel,
        min(nearness) as nearness
    from candidates
    where holds
    group by all
),

chosen as (
    select candidates.*
    from candidates
    inner join nearest using (world, ruled_by, product_category, channel)
    where
        (
            candidates.nearness = nearest.nearness
            or (not candidates.holds and candidates.nearness < nearest.nearness)
        )
        and candidates.country is not distinct from nearest.country
        and candidates.region is not distinct from nearest.region
),

-- Rows of a place that are in force bind together. 999 of a whole country outweighs its regions
-- where the region is not known; otherwise no region's ban speaks for another.
aged as (
    select
        world,
        country,
        region,
        product_category,
        channel,
        as_of,
        max(try_cast(value as integer)) filter (
            where
                holds and kind = 'age'
                and (region is not null or is_whole_country or try_cast(value as integer) < 999)
        ) as minimum_age,
        max(try_cast(value as integer)) filter (where holds and kind = 'year_of') as year_of,
        min(try_cast(value as date)) filter (where holds and kind = 'born_before') as born_before,
        least(
            min(effective_from) filter (where effective_from > as_of),
            min(effective_to) filter (where effective_to > as_of)
        ) as rule_changes_on
    from chosen
    group by all
),

-- The nearest row on a channel: the country's, else that of all countries.
lawfulness as (
    select
        under.world,
        under.country,
        under.region,
        asked.product_category,
        asked.channel,
        bool_and(coalesce(
            case
                when there.unless_policy is not null and {{ policy('there.unless_policy', quoted=false) }} = 'true'
                    then not there.lawful
                else there.lawful
            end,
            elsewhere.lawful,
            false
        )) as is_lawful,
        least(
            min(there.effective_to), min(elsewhere.effective_to), min(coming.effective_from)
        ) as law_changes_on
    from under
    inner join clock on under.world = clock.world
    inner join asked on under.world = asked.world
    left join legality as there
        on
            asked.product_category = there.product_category
            and coalesce(there.world = under.world, true)
            and asked.channel = there.channel
            and under.ruled_by = there.country
            and {{ in_force('there', 'asked.as_of') }}
    left join legality as elsewhere
        on
            asked.product_category = elsewhere.product_category
            and coalesce(elsewhere.world = under.world, true)
            and asked.channel = elsewhere.channel
            and elsewhere.country = '*'
            and {{ in_force('elsewhere', 'asked.as_of') }}
    left join legality as coming
        on
            asked.product_category = coming.product_category
            and coalesce(coming.world = under.world, true)
            and asked.channel = coming.channel
            and coming.country in (under.ruled_by, '*')
            and coming.effective_from > asked.as_of
    group by all
),

level_changes as (
    select
        asked.world,
        asked.product_category,
        asked.channel,
        least(
            min(levels.effective_from) filter (where levels.effective_from > asked.as_of),
            min(levels.effective_to) filter (where levels.effective_to > asked.as_of)
        ) as level_changes_on
    from asked
    inner join levels on asked.product_category = levels.product_category
    group by asked.world, asked.product_category, asked.channel
)

select
    aged.world,
    aged.country,
    aged.region,
    aged.product_category,
    aged.channel,
    coalesce(levels.level, 5) as required_level,
    -- Restricted goods are never advertised to anyone younger, whatever the law of purchase.
    greatest(
        coalesce(aged.minimum_age, case when coalesce(aged.year_of, 0) > 0 or aged.born_before is not null then 0 else 999 end),
        {{ policy('marketing_floor_age') }}::integer
    ) as minimum_age,
    aged.year_of,
    aged.born_before,
    list_filter([
        case
            when aged.country is not null and aged.minimum_age = 999 then 'category_prohibited_there'
        end,
        case when not lawfulness.is_lawful then 'category_prohibited_on_channel' end,
        case when aged.country is null then 'jurisdiction_unknown' end
    ], lambda code: code is not null) as reason_codes,
    least(
        aged.rule_changes_on, lawfulness.law_changes_on, level_changes.level_changes_on
    ) as rule_changes_on
from aged
inner join clock on aged.world = clock.world
inner join lawfulness
    on
        aged.world = lawfulness.world
        and aged.country is not distinct from lawfulness.country
        and aged.region is not distinct from lawfulness.region
        and aged.product_category = lawfulness.product_category
        and aged.channel = lawfulness.channel
left join levels
    on
        aged.product_category = levels.product_category
        and {{ in_force('levels', 'aged.as_of') }}
left join level_changes
    on
        aged.world = level_changes.world
        and aged.product_category = level_changes.product_category
        and aged.channel = level_changes.channel
