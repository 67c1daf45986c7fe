with guards as (
    select * from {{ ref('registry_guards') }}
),

-- That a domain is not listed says nothing of the addresses in it.
compared as (
    select
        world,
        registry,
        identifier,
        max(compared_at) as compared_at
    from {{ ref('registry_receipts') }}
    where identifier is not null and not is_domain
    group by world, registry, identifier
),

asked as (
    select distinct
        guards.question_id,
        compared.identifier
    from guards
    inner join compared
        on guards.world = compared.world and guards.registry = compared.registry
),

-- Either the whole list was compared lately, or this identifier was.
guarded as (
    select
        asked.question_id,
        asked.identifier,
        guards.as_of,
        greatest(guards.stale_at, compared.compared_at + guards.counts_for) as stale_at
    from asked
    inner join guards on asked.question_id = guards.question_id
    left join compared
        on
            guards.world = compared.world
            and guards.registry = compared.registry
            and asked.identifier = compared.identifier
)

select
    question_id,
    identifier,
    case when bool_or(coalesce(stale_at < as_of, true)) then 'registry_stale' end as reason_code,
    min(stale_at) filter (where stale_at >= as_of) as stale_at
from guarded
group by question_id, identifier
