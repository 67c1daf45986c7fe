select
    person_id,
    world,
    identifier_type,
    identifier
from {{ ref('person_keys') }}
union all
-- Some questions are about people as such, whatever their identifiers.
select
    person_id,
    world,
    'person' as identifier_type,
    person_id as identifier
from {{ ref('persons') }}
