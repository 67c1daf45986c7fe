with suppressions as (
    select suppressions.*
    from {{ ref('suppressions') }} as suppressions
    inner join {{ ref('clock') }} as clock on suppressions.world = clock.world
    where
        suppressions.scope = 'person'
        and suppressions.recorded_at <= clock.known_at
        and coalesce(suppressions.ended_at > clock.known_at, true)
        and suppressions.suppression_id not in (
            select suppression_id from {{ ref('lifted_suppressions') }}
        )
),

-- Also keys that a record no longer shows: they still lead to the person.
keys as (
    select
        records.person_id,
        records.world,
        keys.platform,
        keys.account,
        keys.record_id,
        keys.key_type,
        keys.target_key
    from {{ ref('identity_keys') }} as keys
    inner join {{ ref('person_records') }} as records on keys.record_key = records.record_key
),

-- Every key of the record that a reason names, since a redacted record shows none of them any more.
named_keys as (
    select
        suppression_id,
        reason_code,
        channel,
        topic,
        identifier_type as key_type,
        identifier as target_key,
        ended_at
    from suppressions
    where identifier is not null
    union
    select
        suppressions.suppression_id,
        suppressions.reason_code,
        suppressions.channel,
        suppressions.topic,
        keys.key_type,
        keys.target_key,
        suppressions.ended_at
    from suppressions
    inner join keys
        on
            suppressions.platform = keys.platform
            and suppressions.account = keys.account
            and suppressions.record_id = keys.record_id
),

blocked as (
    select
        named_keys.suppression_id,
        named_keys.reason_code,
        named_keys.channel,
        named_keys.topic,
        keys.person_id,
        keys.world,
        named_keys.ended_at
    from named_keys
    inner join keys
        on named_keys.key_type = keys.key_type and named_keys.target_key = keys.target_key
    union
    select
        suppressions.suppression_id,
        suppressions.reason_code,
        suppressions.channel,
        suppressions.topic,
        records.person_id,
        records.world,
        suppressions.ended_at
    from suppressions
    inner join {{ ref('person_records') }} as records
        on
            suppressions.platform = records.platform
            and suppressions.account = records.account
            and suppressions.record_id = records.record_id
)

select
    person_id,
    world,
    channel,
    topic,
    list(distinct reason_code order by reason_code) as reason_codes,
    list(distinct suppression_id order by suppression_id) as suppression_ids,
    min(ended_at) as ends_at
from blocked
group by all
