-- Whoever reads an identifier may live anywhere that one of its users does. What only a merge joins
-- to a person has its own place or none.
with users as (
    select
        user_id,
        any_value(person_id) as person_id,
        bool_or(is_placed) or any_value(user_id) = any_value(person_id) as is_placed
    from {{ ref('record_users') }}
    group by user_id
),

places as (
    select * from {{ ref('person_places') }}
)

select distinct
    readers.readers_id,
    readers.world,
    case when users.is_placed then places.country end as country,
    case when users.is_placed then places.region end as region
from {{ ref('identifier_users') }} as readers
inner join users on readers.user_id = users.user_id
left join places on users.person_id = places.person_id
