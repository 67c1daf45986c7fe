with records as (
    select * from {{ ref('customer_records') }}
),

latest as (
    select * from {{ ref('customer_records_latest') }}
),

keys as (
    select
        record_key,
        platform,
        account,
        record_id,
        unnest(list_concat(
            [
                struct_pack(key_type := 'email', target_key := email_key),
                struct_pack(key_type := 'phone', target_key := phone_key)
            ],
            list_transform(
                external_keys,
                lambda key: struct_pack(key_type := 'external', target_key := key)
            )
        ), recursive := true)
    from records
),

distinct_keys as (
    select distinct * from keys
    where target_key is not null
)

select
    keys.record_key,
    keys.platform,
    keys.account,
    keys.record_id,
    keys.key_type,
    keys.target_key,
    [keys.key_type || ':' || keys.target_key] as suppression_keys,
    coalesce(
        case keys.key_type
            when 'external' then list_contains(latest.external_keys, keys.target_key)
            else keys.target_key in (latest.email_key, latest.phone_key)
        end,
        false
    ) as is_current,
    latest.deleted_at is null as is_live
from distinct_keys as keys
inner join latest
    on keys.record_key = latest.record_key
