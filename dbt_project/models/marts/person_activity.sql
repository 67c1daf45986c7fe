{% set windows = [1, 7, 14, 30, 90, 180, 365] %}

with clock as (
    select * from {{ ref('clock') }}
),

events as (
    select
        *,
        -- Every event counts once under `any` and once under each restricted category it touches.
        unnest(list_prepend('any', product_categories)) as category
    from {{ ref('customer_events') }}
    where person_id is not null and counted
),

-- Windows are half-open, of days of 24 hours; what lies ahead of the clock never counts.
activity as (
    select
        events.person_id,
        events.event_name,
        events.category as product_category,
        events.currency,
        {%- for days in windows %}
        count(*) filter (
            where events.occurred_at >= clock.as_of - to_hours(24 * {{ days }})
        ) as count_{{ days }}d,
        {%- endfor %}
        count(*) as count_ever,
        {%- for days in windows %}
        sum(events.amount) filter (
            where events.occurred_at >= clock.as_of - to_hours(24 * {{ days }})
        ) as amount_{{ days }}d,
        {%- endfor %}
        sum(events.amount) as amount_ever,
        {%- for days in windows %}
        min(events.occurred_at) filter (
            where events.occurred_at >= clock.as_of - to_hours(24 * {{ days }})
        ) as first_at_{{ days }}d,
        {%- endfor %}
        min(events.occurred_at) as first_at_ever,
        max(events.occurred_at) as last_at
    from events
    cross join clock
    where events.occurred_at < clock.as_of and events.recorded_at <= clock.known_at
    group by events.person_id, events.event_name, events.category, events.currency
),

-- Counts and times over all currencies; amounts of two currencies are never added.
over_currencies as (
    select
        person_id,
        event_name,
        product_category,
        'any' as currency,
        {%- for days in windows %}
        sum(count_{{ days }}d) as count_{{ days }}d,
        {%- endfor %}
        sum(count_ever) as count_ever,
        {%- for days in windows %}
        min(first_at_{{ days }}d) as first_at_{{ days }}d,
        {%- endfor %}
        min(first_at_ever) as first_at_ever,
        max(last_at) as last_at
    from activity
    group by person_id, event_name, product_category
)

select * from activity
where currency is not null
union all by name
select * from over_currencies
