select
    person_id,
    first_at_14d as since
from {{ ref('person_activity') }}
where
    event_name = 'webinar_registered'
    and product_category = 'any'
    and currency = 'any'
    and count_14d >= 1
