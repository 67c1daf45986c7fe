select
    person_id,
    last_at as last_order_at
from {{ ref('person_activity') }}
where
    event_name = 'order_placed'
    and product_category = 'any'
    and currency = 'any'
    and count_30d >= 1
