{{ incremental_by(['person_id']) }}
{{ config(post_hook='{{ delete_people_without_events() }}') }}
{% set windows = [1, 7, 14, 30, 90, 180, 365] %}

with clock as (
    select * from {{ ref('clock') }}
),

counted as (
    select events.*
    from {{ ref('customer_events') }} as events
    cross join clock
    where {{ counts('events') }}
),

{%- if is_incremental() %}

numbers as (
    select
        person_id,
        count(*) as events
    from counted
    group by person_id
),

noted as (
    select
        person_id,
        sum(count_ever) as events,
        -- When the first of the events leaves its window.
        min(least(
            {%- for days in windows %}
            first_at_{{ days }}d + to_hours(24 * {{ days }}){{ ',' if not loop.last }}
            {%- endfor %}
        )) as stands_until
    from {{ this }}
    where product_category = 'any' and currency = 'any'
    group by person_id
),

-- Whose rows are no longer true: another number of events, an event told anew, an event that has
-- left a window, or a clock that was set back.
news as (
    select person_id from counted
    where written_in > {{ last_written() }}
    union
    select numbers.person_id
    from numbers
    cross join clock
    left join noted on numbers.person_id = noted.person_id
    where
        numbers.events is distinct from noted.events
        or noted.stands_until < clock.as_of
        or clock.as_of < (select max(as_of) from {{ source('audiences', 'builds') }})
),
{%- endif %}

events as (
    select
        counted.*,
        -- Every event counts once under `any` and once under each restricted category it touches.
        unnest(list_prepend('any', counted.product_categories)) as category
    from counted
    {%- if is_incremental() %}
    where counted.person_id in (select person_id from news)
    {%- endif %}
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
),

over_and_under as (
    select * from activity
    where currency is not null
    union all by name
    select * from over_currencies
)

select
    *,
    {{ this_run() }} as written_in
from over_and_under
