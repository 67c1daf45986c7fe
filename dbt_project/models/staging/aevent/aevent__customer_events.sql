with recursive calls as (
    select
        *,
        coalesce('email ' || lower(email), 'r ' || registrant_id) as person
    from {{ ref('stg_aevent__webhooks') }}
    where fits
),

-- The same call within minutes is one delivery; whoever leaves, leaves at the last of them.
seen as (
    select
        account,
        record_id,
        max(received_at) as last_seen_at
    from {{ source('aevent', 'webhooks') }}
    group by account, record_id
),

-- The same call again within 24 hours of one that counts does not count.
counting as (
    select
        account,
        token,
        event_name,
        person,
        min(first_seen_at) as first_seen_at
    from calls
    group by account, token, event_name, person
    union all
    select
        calls.account,
        calls.token,
        calls.event_name,
        calls.person,
        min(calls.first_seen_at) as first_seen_at
    from counting
    inner join calls
        on
            counting.account = calls.account
            and counting.token = calls.token
            and counting.event_name = calls.event_name
            and counting.person = calls.person
            and counting.first_seen_at + interval 24 hours <= calls.first_seen_at
    group by calls.account, calls.token, calls.event_name, calls.person
)

select
    'aevent:' || calls.account || ':call:' || calls.record_id as event_id,
    calls.account,
    null as record_id,
    null as object_id,
    calls.email,
    null as phone,
    'aevent:' || calls.account || ':' || calls.registrant_id as external_key,
    calls.event_name,
    calls.topic as raw_name,
    null::varchar as person_name,
    null as country,
    null as region,
    null as currency,
    []::varchar[] as product_categories,
    json_object(
        'tag', calls.tag, 'token', calls.token, 'repaired', coalesce(calls.repaired, false)
    ) as properties,
    null as amount,
    counting.first_seen_at is not null as counted,
    seen.last_seen_at as occurred_at,
    calls.first_seen_at as recorded_at,
    -- Any call may change what its neighbours count for.
    {{ this_run() }} as written_in
from calls
inner join seen
    on calls.account = seen.account and calls.record_id = seen.record_id
left join counting
    on
        calls.account = counting.account
        and calls.token = counting.token
        and calls.event_name = counting.event_name
        and calls.person = counting.person
        and calls.first_seen_at = counting.first_seen_at
