{{ config(enabled=not var("cases", false)) }}
-- depends_on: {{ ref('decisions') }}
with landings as (
    {{ union_platforms('landings') }}
),

clock as (
    select * from {{ ref('clock') }}
),

events as (
    select event_id from {{ ref('customer_events') }}
)

select landings.landing_id
from landings
cross join clock
left join events on landings.reaches = events.event_id
group by landings.landing_id
having
    bool_and(events.event_id is not null)
    -- What came after the clock was read had no say in this build's decisions.
    and bool_and(landings.received_at <= least(clock.as_of, clock.known_at))
