{# Rows with a null in any of the columns; one test for a whole table, since each costs a build the same. #}
{% test no_nulls(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    where {{ columns | join(' is null or ') }} is null
{% endtest %}
