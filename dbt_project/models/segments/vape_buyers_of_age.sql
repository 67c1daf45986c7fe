select
    person_id,
    last_at as last_vape_order_at
from {{ ref('person_activity') }}
where
    event_name = 'order_placed'
    and product_category = 'vape'
    and currency = 'any'
    and count_365d >= 1
