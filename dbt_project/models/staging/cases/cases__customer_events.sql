with events as (
    select
        world,
        fact_id,
        platform,
        account,
        record_id,
        identifier,
        event_name,
        person_name,
        country,
        region,
        product_categories,
        valid_hi,
        recorded_at
    from {{ source('cases', 'events') }}
    union all by name
    select
        world,
        fact_id,
        platform,
        account,
        record_id,
        identifier,
        'message_delivered' as event_name,
        valid_hi,
        recorded_at
    from {{ source('cases', 'statuses') }}
    -- Only what is known to have arrived later lifts anything.
    where value = 'delivered' and valid_lo = valid_hi
)

select
    world,
    platform,
    world || fact_id as event_id,
    account,
    record_id,
    null::varchar as object_id,
    case when contains(identifier, '@') then identifier end as email,
    case when not contains(identifier, '@') then identifier end as phone,
    null::varchar as external_key,
    event_name,
    event_name as raw_name,
    person_name,
    country,
    region,
    null::varchar as currency,
    coalesce(product_categories, []) as product_categories,
    null::json as properties,
    null::decimal(18, 2) as amount,
    true as counted,
    valid_hi as occurred_at,
    recorded_at,
    {{ this_run() }} as written_in
from events
