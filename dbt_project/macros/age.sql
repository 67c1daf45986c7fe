{# The day on which somebody born on `birth_date` turns `years`: 1 March for 29 February in a common year. #}
{% macro birthday(birth_date, years) -%}
    (
        ({{ birth_date }} + to_years({{ years }}))::date
        + case
            when day({{ birth_date }}) <> day({{ birth_date }} + to_years({{ years }})) then 1
            else 0
        end
    )
{%- endmacro %}

{# True while a rule row is in force. #}
{% macro in_force(rule, as_of) -%}
    (coalesce({{ rule }}.effective_from <= {{ as_of }}, true)
    and coalesce({{ rule }}.effective_to > {{ as_of }}, true))
{%- endmacro %}

{# A name to compare by: case and spaces aside; null for none. #}
{% macro name_key(name) -%}
    nullif(lower(trim(regexp_replace({{ name }}, '\s+', ' ', 'g'))), '')
{%- endmacro %}
