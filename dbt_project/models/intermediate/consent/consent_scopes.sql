with questions as (
    select * from {{ ref('questions') }}
),

channels as (
    select * from {{ ref('channels') }}
),

clock as (
    select * from {{ ref('clock') }}
)

select distinct
    world,
    channel,
    purpose,
    topic,
    sender,
    as_of,
    known_at
from questions
union
-- Beside the questions asked, every channel as a whole: what `withdrawals` pushes.
select
    clock.world,
    channels.channel,
    'marketing' as purpose,
    '*' as topic,
    'any' as sender,
    clock.as_of,
    clock.known_at
from channels
cross join clock
