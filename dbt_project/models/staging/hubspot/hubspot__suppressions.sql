with contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
    where fits
),

erasures as (
    select * from {{ ref('hubspot__acts') }}
    where act = 'contact.privacyDeletion'
),

reasons as (
    select
        account,
        record_id,
        {{ told_email('email') }} as identifier,
        unnest([
            case when hard_bounce is not null then 'hard_bounce' end,
            -- HubSpot holds the address back until somebody there has looked at it.
            case when quarantined then 'manual_block' end
        ]) as kind,
        first_seen_at
    from contacts
),

shown as (
    select
        'hubspot:' || account || ':contact:' || record_id || ':' || kind || ':'
        || coalesce(md5(identifier), '') as suppression_id,
        account,
        record_id,
        kind,
        'email' as identifier_type,
        identifier,
        'hubspot contact' as source,
        min(first_seen_at) as effective_at,
        min(first_seen_at) as recorded_at
    from reasons
    where kind is not null
    group by account, record_id, kind, identifier
),

erased as (
    select
        'hubspot:' || account || ':act:' || act_id || ':' || key.type as suppression_id,
        account,
        record_id,
        'erased' as kind,
        key.type as identifier_type,
        key.identifier,
        'contact.privacyDeletion' as source,
        occurred_at as effective_at,
        first_seen_at as recorded_at
    from (
        select
            *,
            unnest([
                struct_pack(type := 'email', identifier := email),
                struct_pack(type := 'phone', identifier := phone)
            ]) as key
        from erasures
    ) as keyed
)

select * from shown
union all by name
select * from erased
