{# True for an event that counts at the clock. #}
{% macro counts(events) -%}
    {{ events }}.person_id is not null
    and {{ events }}.counted
    and {{ events }}.occurred_at < clock.as_of
    and {{ events }}.recorded_at <= clock.known_at
{%- endmacro %}

{# Drops the rows of people whose last event went to somebody else, or counts no longer. #}
{% macro delete_people_without_events() -%}
    delete from {{ this }}
    where person_id not in (
        select events.person_id
        from {{ ref('customer_events') }} as events
        cross join {{ ref('clock') }} as clock
        where {{ counts('events') }}
    )
{%- endmacro %}
