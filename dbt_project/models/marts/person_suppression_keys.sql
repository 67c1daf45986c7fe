with records as (
    select
        records.record_key,
        components.circle
    from {{ ref('person_records') }} as records
    inner join {{ ref('identity_components') }} as components
        on records.record_key = components.record_key
),

keys as (
    select
        record_key,
        unnest(blocked_by) as suppression_key
    from {{ ref('identity_keys') }}
    union all
    -- What an opt-out once named as it was written, and no reading of today gives.
    select
        record_key,
        world || 'email:' || lower(told) as suppression_key
    from {{ ref('identity_keys') }}
    where key_type = 'email' and target_key is null
    union all
    select
        record_key,
        'record:' || record_key as suppression_key
    from records
),

-- What blocks one of those who may be the same blocks all of them.
circles as (
    select
        records.circle,
        list(distinct keys.suppression_key order by keys.suppression_key) as suppression_keys
    from keys
    inner join records on keys.record_key = records.record_key
    group by records.circle
)

select
    persons.person_id,
    circles.suppression_keys
from {{ ref('person_circles') }} as persons
inner join circles on persons.circle = circles.circle
