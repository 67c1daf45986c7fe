with orders as (
    select * from {{ ref('shopify__orders') }}
),

acts as (
    select
        *,
        unnest([
            struct_pack(event_name := 'order_placed', occurred_at := processed_at),
            struct_pack(event_name := 'order_paid', occurred_at := paid_at),
            struct_pack(event_name := 'order_refunded', occurred_at := refunded_at),
            struct_pack(event_name := 'order_cancelled', occurred_at := cancelled_at)
        ], recursive := true)
    from orders
),

order_events as (
    select
        'shopify:' || account || ':order:' || record_id || ':' || event_name as event_id,
        account,
        customer_id as record_id,
        record_id as object_id,
        email,
        phone,
        event_name,
        event_name as raw_name,
        concat_ws(' ', first_name, last_name) as person_name,
        country,
        region,
        currency,
        product_categories,
        json_object('order_name', order_name, 'financial_status', financial_status) as properties,
        total_price as amount,
        -- An order that was undone no longer counts, whatever happened to it before.
        event_name not in ('order_placed', 'order_paid') or (
            cancelled_at is null
            and coalesce(financial_status, '') not in ('voided', 'refunded')
        ) as counted,
        occurred_at,
        first_seen_at as recorded_at,
        written_in
    from acts
    where occurred_at is not null
),

deliveries as (
    select * from {{ ref('stg_shopify__webhooks') }}
    where fits and topic not in (select 'orders/' || unnest([
        'create', 'updated', 'paid', 'fulfilled', 'cancelled'
    ]))
),

delivery_events as (
    select
        'shopify:' || deliveries.account || ':delivery:' || deliveries.record_id as event_id,
        deliveries.account,
        deliveries.customer_id as record_id,
        null as object_id,
        deliveries.email,
        deliveries.phone,
        case
            when names.channel = 'email' and deliveries.email_state = 'unsubscribed'
                then 'email_unsubscribed'
            when names.channel = 'email' and deliveries.email_state = 'subscribed'
                then 'email_subscribed'
            when names.channel = 'sms' and deliveries.sms_state = 'unsubscribed'
                then 'sms_unsubscribed'
            when names.channel = 'sms' and deliveries.sms_state = 'subscribed'
                then 'sms_subscribed'
            else coalesce(names.event_name, 'other')
        end as event_name,
        deliveries.topic as raw_name,
        null as person_name,
        null as country,
        null as region,
        null as currency,
        []::varchar[] as product_categories,
        null::json as properties,
        null as amount,
        true as counted,
        coalesce(
            case
                when names.channel = 'email' then deliveries.email_consent_at
                when names.channel = 'sms' then deliveries.sms_consent_at
            end,
            deliveries.updated_at,
            deliveries.first_seen_at
        ) as occurred_at,
        deliveries.first_seen_at as recorded_at,
        deliveries.written_in
    from deliveries
    left join {{ ref('event_names') }} as names
        on
            names.platform = 'shopify'
            and deliveries.topic = names.raw_name
            and {{ in_force('names', 'deliveries.first_seen_at') }}
)

select * from order_events
union all by name
select * from delivery_events
