with customers as (
    select * from {{ ref('stg_shopify__customers') }}
    where fits
),

orders as (
    select * from {{ ref('shopify__orders') }}
),

rules as (
    select * from {{ ref('age_tags') }}
    where platform = 'shopify'
),

typed_dates as (
    {{ typed_birth_dates('shopify', 'customer', 'customers') }}
),

tagged as (
    select
        *,
        trim(unnest(string_split(tags, ','))) as tag
    from customers
    where tags is not null
),

tags_of_customers as (
    select * from rules
    where object in ('customers', 'any')
),

customer_tags as (
    {{ proving_tags('shopify', 'customer', 'tagged', 'tags_of_customers', told='tag:') }}
),

order_tags as (
    select
        'shopify:' || orders.account || ':order:' || orders.record_id || ':' || rules.tag
            as age_evidence_id,
        orders.account,
        orders.customer_id as record_id,
        rules.kind,
        rules.provider,
        nullif(concat_ws(' ', orders.first_name, orders.last_name), '') as bound_name,
        {{ told_email('orders.email') }} as bound_identifier,
        rules.level,
        rules.threshold,
        null::date as value,
        orders.processed_at as verified_at,
        orders.first_seen_at as recorded_at,
        null::timestamptz as expires_at
    from orders
    inner join rules
        on
            list_contains(orders.tags, rules.tag)
            and rules.object in ('orders', 'any')
            and {{ in_force('rules', 'orders.first_seen_at') }}
)

select * from typed_dates
union all by name
select * from customer_tags
union all by name
select * from order_tags
