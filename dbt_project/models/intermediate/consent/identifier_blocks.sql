with suppressions as (
    select * from {{ ref('suppressions') }}
    where recorded_at <= (select known_at from {{ ref('clock') }})
),

records as (
    select * from {{ ref('person_records') }}
),

current_keys as (
    select * from {{ ref('person_keys') }}
),

-- Also keys that a record no longer shows: they still lead to the person.
past_keys as (
    select distinct
        records.person_id,
        keys.key_type,
        keys.target_key
    from {{ ref('identity_keys') }} as keys
    inner join records on keys.record_key = records.record_key
),

by_person as (
    select
        suppressions.suppression_id,
        suppressions.reason_code,
        records.person_id,
        case when suppressions.scope = 'identifier' then suppressions.identifier_type end
            as identifier_type
    from suppressions
    inner join records
        on
            suppressions.platform = records.platform
            and suppressions.account = records.account
            and suppressions.record_id = records.record_id
    where suppressions.scope = 'person' or suppressions.identifier is null
    union
    select
        suppressions.suppression_id,
        suppressions.reason_code,
        past_keys.person_id,
        null as identifier_type
    from suppressions
    inner join past_keys
        on
            suppressions.identifier_type = past_keys.key_type
            and suppressions.identifier = past_keys.target_key
    where suppressions.scope = 'person'
),

blocks as (
    select
        keys.person_id,
        keys.identifier_type,
        keys.identifier,
        by_person.reason_code,
        by_person.suppression_id
    from by_person
    inner join current_keys as keys
        on
            by_person.person_id = keys.person_id
            and coalesce(by_person.identifier_type, keys.identifier_type) = keys.identifier_type
    union
    select
        keys.person_id,
        keys.identifier_type,
        keys.identifier,
        suppressions.reason_code,
        suppressions.suppression_id
    from suppressions
    inner join current_keys as keys
        on
            suppressions.identifier_type = keys.identifier_type
            and suppressions.identifier = keys.identifier
    where suppressions.scope = 'identifier'
)

select
    person_id,
    identifier_type,
    identifier,
    list(distinct reason_code) as reason_codes,
    list(distinct suppression_id) as suppression_ids
from blocks
group by all
