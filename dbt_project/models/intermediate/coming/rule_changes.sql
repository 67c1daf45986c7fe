{#- Seeds that are asked by the clock, but for those whose rows' days another model tells. -#}
{% set seeds = [
    'age_level_expiry', 'category_fallbacks', 'placeholder_birth_dates', 'registries',
    'school_domains', 'statement_bases', 'suppression_kinds',
] %}

with days as (
    {%- for seed in seeds %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select unnest([effective_from, effective_to])::timestamp at time zone 'UTC' as day
    from {{ ref(seed) }}
    {%- endfor %}
)

select
    clock.world,
    min(days.day) as changes_at
from {{ ref('clock') }} as clock
inner join days on clock.as_of < days.day
group by clock.world
