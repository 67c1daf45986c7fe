{{ incremental_by(['account', 'record_id']) }}

with staged as (
    select * from {{ ref('stg_shopify__orders') }}
    where fits
),

{%- if is_incremental() %}

news as (
    select
        account,
        record_id
    from staged
    where written_in > {{ last_written() }}
),
{%- endif %}

versions as (
    select *
    from staged
    {%- if is_incremental() %}
    where
        exists (
            from news
            where
                staged.account = news.account
                and staged.record_id = news.record_id
        )
    {%- endif %}
),

histories as (
    select
        account,
        record_id,
        min(first_seen_at) as first_seen_at,
        -- What was undone stays undone.
        min(cancelled_at) as cancelled_at,
        min(updated_at) filter (where financial_status = 'paid') as paid_at,
        min(updated_at) filter (
            where financial_status in ('refunded', 'partially_refunded')
        ) as refunded_at
    from versions
    group by account, record_id
),

latest as (
    select * from versions
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
    -- Who paid is who was checked; the account may be another's.
    coalesce(latest.payer_first_name, latest.first_name) as first_name,
    coalesce(latest.payer_last_name, latest.last_name) as last_name,
    latest.order_name,
    latest.financial_status,
    latest.currency,
    latest.country,
    latest.region,
    coalesce(by_order.product_categories, []) as product_categories,
    [trim(tag) for tag in string_split(coalesce(latest.tags, ''), ',')] as tags,
    latest.total_price,
    latest.processed_at,
    histories.paid_at,
    histories.refunded_at,
    histories.cancelled_at,
    latest.updated_at,
    histories.first_seen_at,
    {{ this_run() }} as written_in
from latest
inner join histories
    on latest.account = histories.account and latest.record_id = histories.record_id
left join by_order
    on latest.account = by_order.account and latest.record_id = by_order.record_id
