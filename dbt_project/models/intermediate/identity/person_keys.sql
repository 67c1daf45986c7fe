with keys as (
    select * from {{ ref('identity_keys') }}
    where is_current and is_live
),

records as (
    select * from {{ ref('person_records') }}
)

select
    records.person_id,
    records.world,
    keys.key_type as identifier_type,
    keys.target_key as identifier
from keys
inner join records on keys.record_key = records.record_key
group by all
