{#
    A seed of rules, with the rows that a world has beside it, or in place of those with the same keys; `world` is null
    for those of everybody.
#}
{% macro rules_of(seed, columns, keys) -%}
    {%- if not var('cases', false) -%}
    (
        select
            null::varchar as world,
            {{ columns | join(', ') }}
        from {{ ref(seed) }}
    )
    {%- else -%}
    (
        with own as (
            select
                world,
                {%- for column in columns %}
                (rule ->> '$.{{ column }}')::{{ 'date' if column.startswith('effective') else 'boolean' if column == 'lawful' else 'varchar' }} as {{ column }}
                {{- ',' if not loop.last }}
                {%- endfor %}
            from {{ source('cases', 'rules') }}
            where seed = '{{ seed }}'
        ),

        project as (
            select
                {{ columns | join(', ') }},
                concat_ws('|', {{ keys | join(', ') }}) as rule_key
            from {{ ref(seed) }}
        ),

        replaced as (
            select distinct
                world,
                concat_ws('|', {{ keys | join(', ') }}) as rule_key
            from own
        )

        select * from own
        union all
        select
            null as world,
            project.* exclude (rule_key)
        from project
        anti join replaced on project.rule_key = replaced.rule_key
        union all
        select
            clock.world,
            project.* exclude (rule_key)
        from project
        semi join replaced on project.rule_key = replaced.rule_key
        cross join {{ ref('clock') }} as clock
        anti join replaced as its_own
            on clock.world = its_own.world and project.rule_key = its_own.rule_key
    )
    {%- endif %}
{%- endmacro %}

{# True while a rule row is in force. #}
{% macro in_force(rule, as_of) -%}
    (coalesce({{ rule }}.effective_from <= {{ as_of }}, true)
    and coalesce({{ rule }}.effective_to > {{ as_of }}, true))
{%- endmacro %}
