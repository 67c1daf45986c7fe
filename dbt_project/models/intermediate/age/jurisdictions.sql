with clock as (
    select * from {{ ref('clock') }}
),

limits as (
    select * from {{ ref('place_age_limits') }}
),

laws as (
    select * from {{ ref('place_channel_laws') }}
),

levels as (
    select * from {{ ref('age_levels_required') }}
),

level_changes as (
    select
        clock.world,
        levels.product_category,
        least(
            min(levels.effective_from) filter (where levels.effective_from > clock.as_of),
            min(levels.effective_to) filter (where levels.effective_to > clock.as_of)
        ) as level_changes_on
    from levels
    cross join clock
    group by clock.world, levels.product_category
)

select
    limits.world,
    limits.country,
    limits.region,
    limits.product_category,
    laws.channel,
    coalesce(levels.level, 5) as required_level,
    -- Restricted goods are never advertised to anyone younger, whatever the law of purchase.
    greatest(
        case
            when limits.minimum_age is not null then limits.minimum_age
            -- A rule by date or year of birth stands for itself; without any rule nobody is of age.
            when limits.year_of > 0 or limits.born_before is not null then 0
            else 999
        end,
        {{ policy('marketing_floor_age') }}::integer
    ) as minimum_age,
    limits.year_of,
    limits.born_before,
    list_filter([
        -- Where the country is not known, the strictest of the markets rules.
        case when limits.minimum_age = 999 then 'category_prohibited_there' end,
        case when not laws.is_lawful then 'category_prohibited_on_channel' end,
        case when limits.country is null then 'jurisdiction_unknown' end
    ], lambda code: code is not null) as reason_codes,
    least(
        limits.rule_changes_on, laws.law_changes_on, level_changes.level_changes_on
    ) as rule_changes_on
from limits
inner join clock on limits.world = clock.world
inner join laws
    on
        limits.world = laws.world
        and limits.country is not distinct from laws.country
        and limits.region is not distinct from laws.region
        and limits.product_category = laws.product_category
left join levels
    on
        limits.product_category = levels.product_category
        and {{ in_force('levels', 'clock.as_of') }}
left join level_changes
    on
        limits.world = level_changes.world
        and limits.product_category = level_changes.product_category
