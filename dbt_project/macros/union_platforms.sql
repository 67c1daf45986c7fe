{#
    One union of a shape over the platforms that have it, each row led by its platform.

    The list comes from macros/generated/platforms.sql, which generate_platforms.py writes from the
    folders of models/staging.
#}
{% macro union_platforms(shape) %}
    {%- for platform in platforms_with(shape) %}
    {%- if not loop.first %}
    union all by name
    {%- endif %}
    select
        '{{ platform }}' as platform,
        *
    from {{ ref(platform ~ '__' ~ shape) }}
    {%- endfor %}
{% endmacro %}
