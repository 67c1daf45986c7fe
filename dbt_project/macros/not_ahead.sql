{# A time of a statement, set back to its receipt when it lies further ahead of that than a fast clock explains. #}
{% macro not_ahead(time) -%}
    case
        when {{ time }} > statements.recorded_at + to_minutes({{ policy('clock_skew_minutes') }}::integer)
            then statements.recorded_at
        else {{ time }}
    end
{%- endmacro %}
