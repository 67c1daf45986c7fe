with versions as (
    select * from {{ ref('stg_shopify__orders') }}
    where fits
),

latest as (
    select
        *,
        min(first_seen_at) over record as order_first_seen_at,
        min(updated_at) filter (where financial_status = 'paid') over record as paid_at,
        min(updated_at) filter (
            where financial_status in ('refunded', 'partially_refunded')
        ) over record as refunded_at
    from versions
    window record as (partition by account, record_id)
    qualify row_number() over (
        partition by account, record_id
        order by updated_at desc, first_seen_at desc, payload_hash
    ) = 1
),

lines as (
    select
        account,
        record_id,
        unnest(json_extract_string(line_items, '$[*].sku')) as sku
    from latest
),

restricted as (
    select distinct
        lines.account,
        lines.record_id,
        categories.product_category,
        categories.position
    from lines
    inner join {{ ref('product_categories') }} as categories
        on starts_with(upper(lines.sku), categories.prefix)
),

by_order as (
    select
        account,
        record_id,
        list(product_category order by position) as product_categories
    from restricted
    group by account, record_id
)

select
    latest.account,
    latest.record_id,
    latest.customer_id,
    latest.payload_hash,
    latest.email,
    latest.phone,
    latest.first_name,
    latest.last_name,
    latest.order_name,
    latest.financial_status,
    latest.currency,
    latest.country,
    latest.region,
    coalesce(by_order.product_categories, []) as product_categories,
    [trim(tag) for tag in string_split(coalesce(latest.tags, ''), ',')] as tags,
    latest.total_price,
    latest.processed_at,
    latest.paid_at,
    latest.refunded_at,
    latest.cancelled_at,
    latest.updated_at,
    latest.order_first_seen_at as first_seen_at
from latest
left join by_order
    on latest.account = by_order.account and latest.record_id = by_order.record_id
