with customers as (
    select * from {{ ref('stg_shopify__customers') }}
    where fits
),

deliveries as (
    select * from {{ ref('stg_shopify__webhooks') }}
    where fits
),

views as (
    select
        *,
        'customer:' || payload_hash as snapshot_id
    from customers
    union all by name
    select
        * replace (customer_id as record_id),
        'delivery:' || record_id as snapshot_id
    from deliveries
),

snapshots as (
    select
        account,
        record_id,
        snapshot_id,
        'email' as channel,
        {{ told_email('email') }} as identifier,
        email_state as value,
        email_opt_in_level as detail,
        email_consent_at as stated_lo,
        email_consent_at as stated_hi,
        coalesce(updated_at, email_consent_at, first_seen_at) as shown_at,
        first_seen_at
    from views
    union all
    select
        account,
        record_id,
        snapshot_id,
        'sms' as channel,
        {{ told_phone('phone') }} as identifier,
        sms_state as value,
        sms_opt_in_level as detail,
        sms_consent_at as stated_lo,
        sms_consent_at as stated_hi,
        coalesce(updated_at, sms_consent_at, first_seen_at) as shown_at,
        first_seen_at
    from views
),

statements as (
    {{ statements_on_change('shopify', 'snapshots') }}
)

select * from statements
