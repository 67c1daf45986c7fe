with texts as (
    select
        world,
        platform,
        account,
        fact_id as message_sid,
        true as inbound,
        body,
        null::varchar as opt_out_type,
        null::varchar as error_code,
        identifier as from_address,
        sender as to_address,
        valid_hi as occurred_at,
        recorded_at
    from {{ source('cases', 'texts') }}
),

{{ heard_texts() }}

select
    world,
    platform,
    account,
    message_sid as fact_id,
    address,
    own_address as sender,
    channel,
    case
        when coalesce(reading, '') <> 'start_after_stop' or after_stop then state
    end as state,
    method,
    wording,
    occurred_at,
    recorded_at
from heard
