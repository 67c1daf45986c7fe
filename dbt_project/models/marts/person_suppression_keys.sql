with records as (
    select * from {{ ref('person_records') }}
),

keys as (
    select
        record_key,
        unnest(suppression_keys) as suppression_key
    from {{ ref('identity_keys') }}
    union all
    select
        record_key,
        'record:' || record_key as suppression_key
    from records
)

select
    records.person_id,
    list(distinct keys.suppression_key order by keys.suppression_key) as suppression_keys
from keys
inner join records on keys.record_key = records.record_key
group by records.person_id
