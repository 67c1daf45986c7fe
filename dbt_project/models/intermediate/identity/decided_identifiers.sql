with readers as (
    select distinct
        identifier_type,
        identifier,
        readers_id
    from {{ ref('identifier_users') }}
),

decided as (
    select
        person_id,
        world,
        identifier_type,
        identifier,
        is_role or is_shared as is_anybodys,
        is_blocked as is_nobodys
    from {{ ref('person_keys') }}
    union all
    -- Some questions are about people as such, whatever their identifiers.
    select
        person_id,
        world,
        'person' as identifier_type,
        person_id as identifier,
        false as is_anybodys,
        false as is_nobodys
    from {{ ref('persons') }}
)

select
    decided.*,
    readers.readers_id
from decided
left join readers
    on
        decided.identifier_type = readers.identifier_type
        and decided.identifier = readers.identifier
