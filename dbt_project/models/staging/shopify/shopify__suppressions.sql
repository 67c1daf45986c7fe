with statements as (
    select * from {{ ref('shopify__consent_events') }}
),

redactions as (
    select * from {{ ref('stg_shopify__webhooks') }}
    where fits and topic = 'customers/redact'
),

shown as (
    select
        statements.consent_event_id || ':' || vocabulary.suppression_kind as suppression_id,
        statements.account,
        statements.record_id,
        vocabulary.suppression_kind as kind,
        statements.identifier_type,
        statements.identifier,
        'shopify consent state' as source,
        statements.effective_hi as effective_at,
        statements.recorded_at
    from statements
    inner join {{ ref('platform_values') }} as vocabulary
        on
            vocabulary.platform = 'shopify'
            and vocabulary.field = 'consent'
            and vocabulary.value = (statements.evidence ->> '$.value')
            and vocabulary.suppression_kind is not null
            and {{ in_force('vocabulary', 'statements.recorded_at') }}
),

redacted as (
    select
        'shopify:' || account || ':delivery:' || record_id || ':' || key.type as suppression_id,
        account,
        customer_id as record_id,
        'erased' as kind,
        key.type as identifier_type,
        key.identifier,
        'customers/redact' as source,
        first_seen_at as effective_at,
        first_seen_at as recorded_at
    from (
        select
            *,
            unnest([
                struct_pack(type := 'email', identifier := {{ told_email('email') }}),
                struct_pack(type := 'phone', identifier := {{ told_phone('phone') }})
            ]) as key
        from redactions
    )
)

select * from shown
union all by name
select * from redacted
