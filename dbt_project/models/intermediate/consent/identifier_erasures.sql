with clock as (
    select * from {{ ref('clock') }}
),

erasures as (
    select suppressions.*
    from {{ ref('suppressions') }} as suppressions
    inner join clock on suppressions.world = clock.world
    where
        suppressions.kind = 'erased'
        and suppressions.recorded_at <= clock.known_at
        and suppressions.effective_at <= clock.as_of
),

-- Also keys that a record no longer shows: they still lead to the person.
keys as (
    select
        records.person_id,
        keys.platform,
        keys.account,
        keys.record_id,
        keys.key_type,
        keys.target_key
    from {{ ref('identity_keys') }} as keys
    inner join {{ ref('person_records') }} as records on keys.record_key = records.record_key
),

named_keys as (
    select
        suppression_id,
        effective_at,
        identifier_type as key_type,
        identifier as target_key
    from erasures
    where identifier is not null
    union
    select
        erasures.suppression_id,
        erasures.effective_at,
        keys.key_type,
        keys.target_key
    from erasures
    inner join keys
        on
            erasures.platform = keys.platform
            and erasures.account = keys.account
            and erasures.record_id = keys.record_id
),

erased as (
    select
        keys.person_id,
        named_keys.suppression_id,
        named_keys.effective_at
    from named_keys
    inner join keys
        on named_keys.key_type = keys.key_type and named_keys.target_key = keys.target_key
    union
    select
        records.person_id,
        erasures.suppression_id,
        erasures.effective_at
    from erasures
    inner join {{ ref('person_records') }} as records
        on
            erasures.platform = records.platform
            and erasures.account = records.account
            and erasures.record_id = records.record_id
),

-- What alone ends an erasure: an express act of the person after it.
acts as (
    select
        statements.identifier_type,
        statements.identifier,
        max(statements.effective_lo) as acted_at
    from {{ ref('consent_events') }} as statements
    inner join clock on statements.world = clock.world
    where
        starts_with(statements.state, 'granted')
        and statements.basis = 'express'
        and statements.actor = 'customer'
        and statements.has_evidence
        and statements.recorded_at <= clock.known_at
        and statements.effective_hi <= clock.as_of
    group by statements.identifier_type, statements.identifier
)

select
    identifiers.person_id,
    identifiers.world,
    identifiers.identifier_type,
    identifiers.identifier,
    max(erased.effective_at) as erased_at,
    max(acts.acted_at) as acted_at,
    list(distinct erased.suppression_id order by erased.suppression_id) as suppression_ids
from erased
inner join {{ ref('decided_identifiers') }} as identifiers
    on erased.person_id = identifiers.person_id
left join acts
    on
        identifiers.identifier_type = acts.identifier_type
        and identifiers.identifier = acts.identifier
group by
    identifiers.person_id, identifiers.world, identifiers.identifier_type, identifiers.identifier
