with clock as (
    select * from {{ ref('clock') }}
),

-- A listing stands until a later comparison finds the same identifier clear; that a number was
-- given up on a day stays true.
standing as (
    select
        receipts.world,
        receipts.registry,
        receipts.identifier_type,
        receipts.told,
        arg_max(receipts.fact_id, receipts.compared_at) filter (
            where receipts.result <> 'clear'
        ) as fact_id,
        -- Without a day of its own it was given up by the day of the comparison.
        max(coalesce(receipts.since, receipts.compared_at::date)) filter (
            where receipts.result = 'disconnected'
        ) as since
    from {{ ref('registry_receipts') }} as receipts
    inner join clock on receipts.world = clock.world
    where receipts.told is not null and {{ policy('apply_registries') }} = 'true'
    group by receipts.world, receipts.registry, receipts.identifier_type, receipts.told
    having
        bool_or(receipts.result = 'disconnected')
        or coalesce(
            max(receipts.compared_at) filter (where receipts.result = 'listed')
            >= max(receipts.compared_at) filter (where receipts.result = 'clear'),
            bool_or(receipts.result = 'listed')
        )
),

-- Every spelling that the identifier may have.
keyed as (
    select
        standing.registry,
        standing.fact_id,
        standing.since,
        unnest({{ in_world('standing.world', 'keys.suppression_keys') }}) as key
    from standing
    inner join clock on standing.world = clock.world
    inner join {{ ref('registries') }} as registries
        on
            standing.registry = registries.registry
            and {{ in_force('registries', 'clock.as_of') }}
    inner join {{ ref('identifier_keys') }} as keys
        on
            standing.identifier_type = keys.identifier_type
            and standing.told = keys.told
            and case standing.identifier_type
                when 'phone' then {{ read_in('standing.told', ['registries.country']) }} else ''
            end = keys.read_in
),

shown as (
    select
        key_type,
        target_key,
        unnest(blocked_by) as key
    from {{ ref('identity_keys') }}
    where is_current and is_live and target_key is not null
),

found as (
    select
        keyed.registry,
        keyed.fact_id,
        keyed.since,
        shown.target_key as identifier
    from keyed
    inner join shown on keyed.key = shown.key
    union all
    select
        standing.registry,
        standing.fact_id,
        standing.since,
        keys.identifier
    from {{ ref('person_keys') }} as keys
    inner join standing
        on
            keys.world = standing.world
            and '@' || split_part(keys.identifier, '@', -1) = standing.told
    where keys.identifier_type = 'email'
)

select
    registry,
    identifier,
    min(fact_id) as fact_id,
    max(since) as disconnected_on
from found
group by registry, identifier
