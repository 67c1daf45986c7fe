-- Whoever reads an identifier may live anywhere that one of its users does. What only a merge joins
-- to a person has its own place or none.
with parts as (
    select
        user_id,
        person_id,
        bool_or(is_placed) as is_placed
    from {{ ref('record_users') }}
    where user_id <> person_id
    group by user_id, person_id
),

readers as (
    select distinct
        readers.readers_id,
        readers.world,
        coalesce(parts.person_id, readers.user_id) as person_id,
        coalesce(parts.is_placed, true) as is_placed
    from {{ ref('identifier_users') }} as readers
    left join parts on readers.user_id = parts.user_id
)

select distinct
    readers.readers_id,
    readers.world,
    case when readers.is_placed then places.country end as country,
    case when readers.is_placed then places.region end as region
from readers
left join {{ ref('person_places') }} as places on readers.person_id = places.person_id
