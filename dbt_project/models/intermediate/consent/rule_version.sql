{#- The plain rules of deciding; raise the number when a model of deciding changes its meaning. -#}
{% set number = 2 %}
{% set seeds = [
    'age_levels_required', 'age_tags', 'channel_category_legality', 'event_names', 'minimum_age',
    'placeholder_birth_dates', 'platform_values', 'product_categories', 'reason_codes',
    'suppression_kinds',
] %}

with rows_of_rules as (
    {%- for seed in seeds %}
    select '{{ seed }}' || rule::varchar as rule from {{ ref(seed) }} as rule
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select
    'plain-{{ number }}:'
    || left(sha256(string_agg(rule, chr(10) order by rule)), 12) as rule_version
from rows_of_rules
