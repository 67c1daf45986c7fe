{# A policy's value in a world, as text; `clock` is an alias of the clock model. #}
{% macro policy(name, clock='clock', quoted=true) -%}
    {{ clock }}.policies[{{ "'" ~ name ~ "'" if quoted else name }}]
{%- endmacro %}

{# YAML's own true and lists, as the seed writes them. #}
{% macro as_policy(value) -%}
    {%- if value is sequence and value is not string -%}
        {{ value | join(',') }}
    {%- else -%}
        {{ value | lower if value is boolean else value }}
    {%- endif -%}
{%- endmacro %}
