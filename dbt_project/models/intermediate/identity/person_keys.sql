with keys as (
    select * from {{ ref('identity_keys') }}
    where is_current and is_live and target_key is not null
),

shared as (
    select * from {{ ref('shared_keys') }}
),

records as (
    select * from {{ ref('person_records') }}
),

held as (
    select
        records.person_id,
        records.world,
        keys.key_type as identifier_type,
        keys.target_key as identifier,
        bool_or(keys.is_role) as is_role,
        bool_or(keys.is_blocked) as is_blocked,
        bool_or(shared.key is not null) as is_shared,
        min(coalesce(records.created_at, 'infinity'::timestamptz)) as since
    from keys
    inner join records on keys.record_key = records.record_key
    left join shared on keys.own_key = shared.key
    group by all
)

select
    person_id,
    world,
    identifier_type,
    identifier,
    is_role,
    is_blocked,
    is_shared,
    -- Whose an act is that names the identifier alone.
    row_number() over (
        partition by identifier_type, identifier order by since, person_id
    ) = 1 as is_first
from held
