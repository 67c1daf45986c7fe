with acts as (
    select * from {{ ref('klaviyo__acts') }}
)

select
    'klaviyo:' || account || ':event:' || act_id as event_id,
    account,
    record_id,
    null as object_id,
    email,
    phone,
    event_name,
    raw_name,
    null as country,
    null as region,
    null as currency,
    []::varchar[] as product_categories,
    properties,
    amount,
    true as counted,
    occurred_at,
    first_seen_at as recorded_at
from acts
