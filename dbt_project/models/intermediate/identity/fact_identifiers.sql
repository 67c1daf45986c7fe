with facts as (
    {{ closing_facts() }}
),

fact_keys as (
    select
        fact_id,
        unnest(suppression_keys) as key
    from facts
),

-- Every identifier that somebody has now.
keys as (
    select
        record_key,
        key_type,
        target_key,
        blocked_by
    from {{ ref('identity_keys') }}
    where is_current and is_live and target_key is not null
),

shown as (
    select distinct
        key,
        key_type,
        target_key
    from (
        select
            key_type,
            target_key,
            unnest(blocked_by) as key
        from keys
    ) as unnested
    where key in (select key from fact_keys)
),

circles as (
    select distinct
        components.circle,
        keys.key_type,
        keys.target_key
    from keys
    inner join {{ ref('identity_components') }} as components
        on keys.record_key = components.record_key
),

reached as (
    select
        fact_keys.fact_id,
        shown.key_type,
        shown.target_key,
        true as is_named
    from fact_keys
    inner join shown on fact_keys.key = shown.key
    union all
    select
        fact_circles.fact_id,
        circles.key_type,
        circles.target_key,
        false as is_named
    from {{ ref('fact_circles') }} as fact_circles
    inner join circles on fact_circles.circle = circles.circle
)

select
    fact_id,
    key_type as identifier_type,
    target_key as identifier,
    bool_or(is_named) as is_named
from reached
group by fact_id, key_type, target_key
