select distinct registered.person_id
from {{ ref('person_activity') }} as registered
inner join {{ ref('person_activity') }} as bought
    on
        registered.person_id = bought.person_id
        and registered.first_at_14d <= bought.last_at
where
    registered.event_name = 'webinar_registered'
    and registered.product_category = 'any'
    and registered.currency = 'any'
    and bought.event_name in ('order_placed', 'tag:buyer')
    and bought.product_category = 'any'
    and bought.currency = 'any'
