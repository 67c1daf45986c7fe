{#
    One union of a shape over the platforms that have it, each row led by its platform.

    Each row bears its world: '' is the real one, and every case of a case file (`audiences decide`)
    is one of its own. A world leads every identifier and account of its rows, so that nothing of one
    meets anything of another. The list comes from macros/generated/platforms.sql, which generate_platforms.py writes from the
    folders of models/staging.
#}
{% macro union_platforms(shape) %}
    {%- if var('cases', false) %}
    select * from {{ ref('cases__' ~ shape) }}
    {%- endif %}
    {%- for platform in platforms_with(shape) if not var('cases', false) %}
    {%- if not loop.first %}
    union all by name
    {%- endif %}
    select
        '{{ platform }}' as platform,
        '' as world,
        *
    from {{ ref(platform ~ '__' ~ shape) }}
    {%- endfor %}
{% endmacro %}
