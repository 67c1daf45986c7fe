{{ incremental_by(['account', 'message_sid']) }}

with messages as (
    select
        *,
        case when direction = 'inbound' then from_address else to_address end as address
    from {{ ref('stg_twilio__messages') }}
    where fits
),

deliveries as (
    select
        *,
        case when message_status is null then from_address else to_address end as address
    from {{ ref('stg_twilio__webhooks') }}
    where fits
),

{%- if is_incremental() %}

-- A text may change what later texts of the same address mean.
news as (
    select
        account,
        address
    from messages
    where written_in > {{ last_written() }}
    union
    select
        account,
        address
    from deliveries
    where written_in > {{ last_written() }}
),
{%- endif %}

logged as (
    select
        messages.*,
        min(messages.first_seen_at) over (
            partition by messages.account, messages.record_id
        ) as first_logged_at
    from messages
    {%- if is_incremental() %}
    where
        exists (
            from news
            where
                messages.account = news.account
                and messages.address = news.address
        )
    {%- endif %}
    qualify row_number() over (
        partition by messages.account, messages.record_id
        order by
            messages.updated_at desc nulls last,
            messages.first_seen_at desc,
            messages.payload_hash
    ) = 1
),

delivered as (
    select
        deliveries.account,
        deliveries.message_sid as record_id,
        bool_and(deliveries.message_status is null) as inbound,
        max(deliveries.messaging_service_sid) as messaging_service_sid,
        max(deliveries.from_address) as from_address,
        max(deliveries.to_address) as to_address,
        max(deliveries.body) as body,
        max(upper(deliveries.opt_out_type)) as opt_out_type,
        max(deliveries.error_code) as error_code,
        min(deliveries.first_seen_at) as first_seen_at
    from deliveries
    {%- if is_incremental() %}
    where
        exists (
            from news
            where
                deliveries.account = news.account
                and deliveries.address = news.address
        )
    {%- endif %}
    group by deliveries.account, deliveries.message_sid
),

-- The log and the webhooks show the same message under the same sid.
texts as (
    select
        coalesce(logged.account, delivered.account) as account,
        coalesce(logged.record_id, delivered.record_id) as message_sid,
        coalesce(logged.direction = 'inbound', delivered.inbound) as inbound,
        coalesce(logged.messaging_service_sid, delivered.messaging_service_sid)
            as messaging_service_sid,
        coalesce(logged.from_address, delivered.from_address) as from_address,
        coalesce(logged.to_address, delivered.to_address) as to_address,
        coalesce(logged.body, delivered.body) as body,
        delivered.opt_out_type,
        coalesce(logged.error_code, delivered.error_code) as error_code,
        logged.payload_hash,
        coalesce(logged.sent_at, logged.created_at, delivered.first_seen_at) as occurred_at,
        least(logged.first_logged_at, delivered.first_seen_at) as first_seen_at
    from logged
    full join delivered
        on logged.account = delivered.account and logged.record_id = delivered.record_id
),

{{ heard_texts() }}

select
    account,
    message_sid,
    payload_hash,
    address,
    own_address,
    coalesce(messaging_service_sid, own_address) as sender,
    channel,
    field,
    case
        when coalesce(reading, '') <> 'start_after_stop' or after_stop then state
    end as state,
    method,
    word,
    wording,
    error_code,
    inbound,
    occurred_at,
    first_seen_at,
    {{ this_run() }} as written_in
from heard
where address is not null
