with records as (
    select * from {{ ref('customer_records') }}
),

latest as (
    select * from {{ ref('customer_records_latest') }}
),

keys as (
    select * from {{ ref('identifier_keys') }}
),

-- What a record shows or once showed, by the texts that the keys are found by.
shown as (
    select distinct
        record_key,
        world,
        platform,
        account,
        record_id,
        'email' as key_type,
        email_told as told,
        '' as read_in
    from records
    where email_told is not null
    union all
    select distinct
        record_key,
        world,
        platform,
        account,
        record_id,
        'phone' as key_type,
        phone_told as told,
        phone_read_in as read_in
    from records
    where phone_told is not null
),

read_keys as (
    select
        shown.*,
        shown.world || keys.target_key as target_key,
        shown.world || shown.key_type || ':' || keys.target_key as own_key,
        keys.fault,
        {{ in_world('shown.world', 'keys.suppression_keys') }} as suppression_keys,
        {{ in_world('shown.world', 'keys.blocked_by') }} as blocked_by,
        not keys.is_role and not keys.is_blocked and not keys.is_relay as may_join,
        keys.is_role,
        keys.is_blocked
    from shown
    inner join keys
        on
            shown.key_type = keys.identifier_type
            and shown.told = keys.told
            and shown.read_in = keys.read_in
    union all
    select
        external.* exclude (external_key),
        'external' as key_type,
        external.external_key as told,
        '' as read_in,
        external.external_key as target_key,
        'external:' || external.external_key as own_key,
        null as fault,
        ['external:' || external.external_key] as suppression_keys,
        ['external:' || external.external_key] as blocked_by,
        true as may_join,
        false as is_role,
        false as is_blocked
    from (
        select distinct
            record_key,
            world,
            platform,
            account,
            record_id,
            unnest(external_keys) as external_key
        from records
    ) as external
)

select
    read_keys.*,
    coalesce(
        case read_keys.key_type
            when 'external' then list_contains(latest.external_keys, read_keys.told)
            when 'email' then read_keys.told = latest.email_told
            else read_keys.told = latest.phone_told and read_keys.read_in = latest.phone_read_in
        end,
        false
    ) as is_current,
    latest.deleted_at is null as is_live
from read_keys
inner join latest
    on read_keys.record_key = latest.record_key
