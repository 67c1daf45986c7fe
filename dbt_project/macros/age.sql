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

{# A name to compare by: case and spaces aside; null for none. #}
{% macro name_key(name) -%}
    nullif(lower(trim(regexp_replace({{ name }}, '\s+', ' ', 'g'))), '')
{%- endmacro %}
