with thresholds (currency, least_spent) as (
    values ('USD', 500), ('CAD', 700), ('GBP', 400)
)

select
    activity.person_id,
    activity.currency,
    activity.amount_365d as spent
from {{ ref('person_activity') }} as activity
inner join thresholds on activity.currency = thresholds.currency
where
    activity.event_name = 'order_placed'
    and activity.product_category = 'any'
    and activity.amount_365d >= thresholds.least_spent
-- Whoever passes in two currencies is shown in the one that passes by more.
qualify row_number() over (
    partition by activity.person_id
    order by activity.amount_365d / thresholds.least_spent desc, activity.currency
) = 1
