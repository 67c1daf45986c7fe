with logged as (
    select * from {{ ref('stg_twilio__messages') }}
    where fits
    qualify row_number() over (
        partition by account, record_id
        order by updated_at desc nulls last, first_seen_at desc, payload_hash
    ) = 1
),

first_logged as (
    select
        account,
        record_id,
        min(first_seen_at) as first_seen_at
    from {{ ref('stg_twilio__messages') }}
    where fits
    group by account, record_id
),

delivered as (
    select
        account,
        message_sid as record_id,
        bool_and(message_status is null) as inbound,
        max(messaging_service_sid) as messaging_service_sid,
        max(from_address) as from_address,
        max(to_address) as to_address,
        max(body) as body,
        max(upper(opt_out_type)) as opt_out_type,
        max(error_code) as error_code,
        min(first_seen_at) as first_seen_at
    from {{ ref('stg_twilio__webhooks') }}
    where fits
    group by account, message_sid
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
        least(first_logged.first_seen_at, delivered.first_seen_at) as first_seen_at
    from logged
    left join first_logged
        on logged.account = first_logged.account and logged.record_id = first_logged.record_id
    full join delivered
        on logged.account = delivered.account and logged.record_id = delivered.record_id
),

worded as (
    select
        *,
        case when inbound then from_address else to_address end as address,
        case when inbound then to_address else from_address end as own_address,
        case
            when inbound
                then coalesce(
                    case when opt_out_type in ('STOP', 'START') then opt_out_type end,
                    upper(regexp_replace(strip_accents(body), '[^\p{L}\p{N}]', '', 'g'))
                )
        end as word,
        case
            when inbound
                then regexp_replace(
                    regexp_replace(lower(strip_accents(body)), '[''’`]', '', 'g'),
                    '[^a-z0-9]+', ' ', 'g'
                )
        end as wording,
        case when starts_with(own_address, 'whatsapp:') then 'whatsapp' else 'sms' end as channel
    from texts
),

spoken as (
    select
        worded.*,
        case when error.state is not null then 'error' else 'keyword' end as field,
        coalesce(error.state, exact.state) as state,
        coalesce(error.method, exact.method) as method,
        exact.detail
    from worded
    left join {{ ref('platform_values') }} as error
        on
            error.platform = 'twilio'
            and error.field = 'error'
            and not worded.inbound
            and worded.error_code = error.value
    left join {{ ref('platform_values') }} as exact
        on
            exact.platform = 'twilio'
            and exact.field = 'keyword'
            and worded.word = exact.value
),

-- A word that only counts after a stop, such as YES, is chatter otherwise.
heard as (
    select
        *,
        max(case when state = 'withdrawn' then occurred_at end) over (
            partition by account, address
            order by occurred_at, message_sid
            rows between unbounded preceding and 1 preceding
        ) is not null as after_stop
    from spoken
)

select
    account,
    message_sid,
    payload_hash,
    address,
    own_address,
    coalesce(messaging_service_sid, own_address) as sender,
    channel,
    field,
    case when detail = 'after_stop' and not after_stop then null else state end as state,
    method,
    word,
    wording,
    error_code,
    inbound,
    occurred_at,
    first_seen_at
from heard
where address is not null
