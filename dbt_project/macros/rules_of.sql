{# A seed of rules, with the rows that a world has beside it; `world` is null for those of everybody. #}
{% macro rules_of(seed, columns) -%}
    (
        select
            null::varchar as world,
            {{ columns | join(', ') }}
        from {{ ref(seed) }}
        {%- if var('cases', false) %}
        union all
        select
            world,
            {%- for column in columns %}
            (rule ->> '$.{{ column }}')::{{ 'date' if column.startswith('effective') else 'boolean' if column == 'lawful' else 'varchar' }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        from {{ source('cases', 'rules') }}
        where seed = '{{ seed }}'
        {%- endif %}
    )
{%- endmacro %}
