with clock as (
    select * from {{ ref('clock') }}
),

receipts as (
    select * from {{ ref('registry_receipts') }}
)

select
    receipts.identifier,
    -- Without a day of its own it was given up by the day of the comparison.
    max(coalesce(receipts.since, receipts.compared_at::date)) as since
from receipts
inner join clock on receipts.world = clock.world
where receipts.result = 'disconnected' and {{ policy('apply_registries') }} = 'true'
group by receipts.identifier
