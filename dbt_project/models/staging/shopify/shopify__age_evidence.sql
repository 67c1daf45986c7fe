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

-- Each proof is of whoever the record was when it was first seen there.
typed_dates as (
    select
        -- The date itself stays out of ids, which reports and state show.
        'shopify:' || account || ':customer:' || record_id || ':' || md5(record_id || birth_date)
            as age_evidence_id,
        account,
        record_id,
        'dob' as kind,
        'shopify' as provider,
        arg_min(
            nullif(concat_ws(' ', first_name, last_name), ''), (first_seen_at, payload_hash)
        ) as bound_name,
        arg_min({{ told_email('email') }}, (first_seen_at, payload_hash)) as bound_identifier,
        2 as level,
        null::integer as threshold,
        birth_date as value,
        min(first_seen_at) as verified_at,
        min(first_seen_at) as recorded_at,
        null::timestamptz as expires_at
    from customers
    where birth_date is not null
    group by account, record_id, birth_date
),

tagged as (
    select
        *,
        trim(unnest(string_split(tags, ','))) as tag
    from customers
    where tags is not null
),

customer_tags as (
    select
        'shopify:' || tagged.account || ':customer:' || tagged.record_id || ':tag:' || rules.tag
            as age_evidence_id,
        tagged.account,
        tagged.record_id,
        rules.kind,
        rules.provider,
        arg_min(
            nullif(concat_ws(' ', tagged.first_name, tagged.last_name), ''),
            (tagged.first_seen_at, tagged.payload_hash)
        ) as bound_name,
        arg_min(
            {{ told_email('tagged.email') }}, (tagged.first_seen_at, tagged.payload_hash)
        ) as bound_identifier,
        rules.level,
        rules.threshold,
        null::date as value,
        min(tagged.first_seen_at) as verified_at,
        min(tagged.first_seen_at) as recorded_at,
        null::timestamptz as expires_at
    from tagged
    inner join rules
        on
            tagged.tag = rules.tag
            and rules.object in ('customers', 'any')
            and {{ in_force('rules', 'tagged.first_seen_at') }}
    group by
        tagged.account, tagged.record_id, rules.tag, rules.kind, rules.provider, rules.level,
        rules.threshold
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
