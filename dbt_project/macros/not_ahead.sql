{#
    A time of a statement, set back to its receipt when it lies further ahead of that than a fast clock explains; none
    where it is day zero of computers or earlier, which stands for a time that nobody knows.
#}
{% macro not_ahead(time) -%}
    case
        when {{ time }} < timestamptz '1970-01-02 00:00:00+00' then null
        when {{ time }} > statements.recorded_at + to_minutes({{ policy('clock_skew_minutes') }}::integer)
            then statements.recorded_at
        else {{ time }}
    end
{%- endmacro %}
