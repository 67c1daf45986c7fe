with acts as (
    select * from {{ ref('klaviyo__acts') }}
),

names as (
    select * from {{ ref('event_names') }}
    where platform = 'klaviyo'
)

select
    'klaviyo:' || acts.account || ':event:' || acts.act_id as event_id,
    acts.account,
    acts.record_id,
    null as object_id,
    {{ told_email('acts.email') }} as email,
    {{ told_phone('acts.phone') }} as phone,
    coalesce(names.event_name, 'other') as event_name,
    acts.raw_name,
    null::varchar as person_name,
    null as country,
    null as region,
    null as currency,
    []::varchar[] as product_categories,
    acts.properties,
    acts.amount,
    true as counted,
    acts.occurred_at,
    acts.first_seen_at as recorded_at,
    acts.written_in
from acts
left join names
    on acts.raw_name = names.raw_name and {{ in_force('names', 'acts.first_seen_at') }}
