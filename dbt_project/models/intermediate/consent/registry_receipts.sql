with receipts as (
    {%- if var('cases', false) %}
    select
        world,
        fact_id,
        registry,
        identifier,
        result,
        since,
        valid_hi as compared_at,
        recorded_at,
        null::timestamptz as retracted_at
    from {{ source('cases', 'scrubs') }}
    {%- else %}
    select
        '' as world,
        receipt_id as fact_id,
        registry,
        identifier,
        result,
        since,
        compared_at,
        recorded_at,
        retracted_at
    from {{ source('audiences', 'registry_receipts') }}
    {%- endif %}
)

select
    receipts.world,
    receipts.world || receipts.fact_id as fact_id,
    receipts.registry,
    coalesce(starts_with(receipts.identifier, '@'), false) as is_domain,
    -- A whole domain is listed as @example.com.
    receipts.world || case
        when starts_with(receipts.identifier, '@') then lower(receipts.identifier)
        when contains(receipts.identifier, '@') then {{ told_email('receipts.identifier') }}
        else {{ told_phone('receipts.identifier') }}
    end as identifier,
    receipts.result,
    receipts.since,
    receipts.compared_at
from receipts
inner join {{ ref('clock') }} as clock on receipts.world = clock.world
where
    receipts.recorded_at <= clock.known_at
    and receipts.compared_at <= clock.as_of
    and coalesce(receipts.retracted_at > clock.known_at, true)
