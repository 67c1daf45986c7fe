with suppressions as (
    select suppressions.*
    from {{ ref('suppressions') }} as suppressions
    inner join {{ ref('clock') }} as clock on suppressions.world = clock.world
    anti join {{ ref('lifted_suppressions') }} as lifted
        on
            suppressions.suppression_id = lifted.suppression_id
            and suppressions.identifier = lifted.identifier
    where
        suppressions.scope = 'person'
        and suppressions.recorded_at <= clock.known_at
        and coalesce(suppressions.closes_from <= clock.as_of, true)
        and coalesce(suppressions.ended_at > clock.known_at, true)
),

components as (
    select * from {{ ref('identity_components') }}
),

blocked as (
    select
        suppressions.suppression_id,
        suppressions.reason_code,
        suppressions.channel,
        suppressions.topic,
        case suppressions.kind when 'erased' then suppressions.effective_at end as erased_at,
        records.person_id,
        records.world,
        suppressions.ended_at
    from suppressions
    inner join {{ ref('fact_circles') }} as reached
        on suppressions.suppression_id = reached.fact_id
    inner join components on reached.circle = components.circle
    inner join {{ ref('person_records') }} as records
        on components.record_key = records.record_key
)

select
    person_id,
    world,
    channel,
    topic,
    list(distinct reason_code order by reason_code) as reason_codes,
    list(distinct suppression_id order by suppression_id) as suppression_ids,
    max(erased_at) as erased_at,
    min(ended_at) as ends_at
from blocked
group by all
