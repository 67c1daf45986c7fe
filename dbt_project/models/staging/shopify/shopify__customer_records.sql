with customers as (
    select * from {{ ref('stg_shopify__customers') }}
    where fits
),

removals as (
    select
        account,
        customer_id,
        min(first_seen_at) as deleted_at
    from {{ ref('stg_shopify__webhooks') }}
    where fits and topic in ('customers/delete', 'customers/redact')
    group by account, customer_id
)

select
    customers.account,
    customers.record_id,
    customers.payload_hash,
    []::varchar[] as external_ids,
    customers.email,
    customers.phone,
    customers.first_name,
    customers.last_name,
    customers.country,
    customers.region,
    customers.postal_code,
    'address' as place_kind,
    null::varchar as time_zone,
    null::varchar as language,
    [trim(tag) for tag in string_split(customers.tags, ',')] as tags,
    -- Metafields by their full name: {"facts.birth_date": "1990-05-01"}.
    (
        '{'
        || array_to_string(
            list_transform(
                json_extract(customers.metafields, '$[*]'),
                lambda field:
                to_json((field ->> '$.namespace') || '.' || (field ->> '$.key'))::varchar
                || ':' || (field -> '$.value')::varchar
            ),
            ','
        )
        || '}'
    )::json as properties,
    customers.created_at,
    customers.updated_at,
    removals.deleted_at,
    customers.first_seen_at
from customers
left join removals
    on customers.account = removals.account and customers.record_id = removals.customer_id
