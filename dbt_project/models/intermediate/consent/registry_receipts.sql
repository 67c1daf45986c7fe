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
),

told as (
    select
        *,
        case
            when starts_with(identifier, '@') then 'domain'
            when contains(identifier, '@') then 'email'
            else 'phone'
        end as identifier_type,
        -- A whole domain is listed as @example.com.
        case
            when starts_with(identifier, '@') then lower(identifier)
            when contains(identifier, '@') then {{ told_email('identifier') }}
            else {{ told_phone('identifier') }}
        end as told
    from receipts
)

select
    told.world,
    told.world || told.fact_id as fact_id,
    told.registry,
    told.identifier_type,
    told.told,
    told.identifier_type = 'domain' as is_domain,
    told.world || told.told as identifier,
    told.result,
    told.since,
    told.compared_at
from told
inner join {{ ref('clock') }} as clock on told.world = clock.world
where
    told.recorded_at <= clock.known_at
    and told.compared_at <= clock.as_of
    and coalesce(told.retracted_at > clock.known_at, true)
