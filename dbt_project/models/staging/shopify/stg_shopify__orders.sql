{% set fields = [
    ('order_id', 'text', 'id'),
    ('customer_id', 'text', 'customer.id'),
    ('email', 'text'),
    ('phone', 'text'),
    ('first_name', 'text', 'customer.first_name'),
    ('last_name', 'text', 'customer.last_name'),
    ('payer_first_name', 'text', 'billing_address.first_name'),
    ('payer_last_name', 'text', 'billing_address.last_name'),
    ('order_name', 'text', 'name'),
    ('financial_status', 'text'),
    ('currency', 'text'),
    ('country', 'text', 'shipping_address.country_code'),
    ('region', 'text', 'shipping_address.province_code'),
    ('tags', 'text'),
    ('line_items', 'list'),
    ('total_price', 'number'),
    ('cancelled_at', 'time'),
    ('created_at', 'time'),
    ('processed_at', 'time'),
    ('updated_at', 'time'),
] %}
{% set topics = [
    'orders/create', 'orders/updated', 'orders/paid', 'orders/fulfilled', 'orders/cancelled'
] %}

with source as (
    {{ versions_of('shopify', 'orders', fields, webhook_topics=topics) }}
),

renamed as (
    select
        account,
        record_id,
        payload_hash,
        {{ typed(fields, essential={
            'order_id': 'true', 'processed_at': 'true', 'updated_at': 'true'
        }) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
