with customers as (
    select * from {{ ref('stg_shopify__customers') }}
    where fits and birth_date is not null
),

orders as (
    select * from {{ ref('shopify__orders') }}
),

typed_dates as (
    select
        -- The date itself stays out of ids, which reports and state show.
        'shopify:' || account || ':customer:' || record_id || ':' || md5(record_id || birth_date)
            as age_evidence_id,
        account,
        record_id,
        'dob' as kind,
        'shopify' as provider,
        any_value(concat_ws(' ', first_name, last_name)) as bound_name,
        any_value({{ email_key('email') }}) as bound_identifier,
        2 as level,
        null::integer as threshold,
        birth_date as value,
        min(first_seen_at) as verified_at,
        min(first_seen_at) as recorded_at,
        null::timestamptz as expires_at
    from customers
    group by account, record_id, birth_date
),

order_tags as (
    select
        'shopify:' || orders.account || ':order:' || orders.record_id || ':' || rules.kind
            as age_evidence_id,
        orders.account,
        orders.customer_id as record_id,
        rules.kind,
        rules.provider,
        concat_ws(' ', orders.first_name, orders.last_name) as bound_name,
        {{ email_key('orders.email') }} as bound_identifier,
        rules.level,
        rules.threshold,
        null::date as value,
        orders.processed_at as verified_at,
        orders.first_seen_at as recorded_at,
        null::timestamptz as expires_at
    from orders
    inner join {{ ref('age_tags') }} as rules
        on
            rules.platform = 'shopify'
            and rules.object = 'orders'
            and list_contains(orders.tags, rules.tag)
)

select * from typed_dates
union all by name
select * from order_tags
