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

{# Whether what speaks against somebody and a proof are about one person: by their names, or where one names nobody by
   whose they are. A proof of somebody who does not use the identifier answers what is said of themselves alone. #}
{% macro same_person(accuser, proof) -%}
    coalesce({{ accuser }}.bound_name = {{ proof }}.bound_name, {{ accuser }}.user_id = {{ proof }}.user_id)
    and ({{ proof }}.is_own or {{ accuser }}.user_id = {{ proof }}.user_id)
{%- endmacro %}
