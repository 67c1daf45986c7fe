{# A policy's value in a world, as text; `clock` is an alias of the clock model. #}
{% macro policy(name, clock='clock', quoted=true) -%}
    {{ clock }}.policies[{{ "'" ~ name ~ "'" if quoted else name }}]
{%- endmacro %}
