-- What is known of the users of an identifier proves and accuses; what is known of others who may
-- be the same or share something with one of them accuses alone.
with evidence as (
    select
        evidence.*,
        records.user_id,
        records.circle
    from {{ ref('credible_age_evidence') }} as evidence
    inner join {{ ref('record_users') }} as records on evidence.record_key = records.record_key
),

users as (
    select
        readers_id,
        user_id
    from {{ ref('identifier_users') }}
),

around as (
    select distinct
        records.user_id,
        records.circle
    from {{ ref('record_users') }} as records
    where records.circle in (select evidence.circle from evidence)
),

heard as (
    select
        users.readers_id,
        evidence.age_evidence_id,
        true as is_own
    from users
    inner join evidence on users.user_id = evidence.user_id
    union all
    select
        users.readers_id,
        evidence.age_evidence_id,
        false as is_own
    from users
    inner join around on users.user_id = around.user_id
    inner join evidence on around.circle = evidence.circle
),

told as (
    select
        readers_id,
        age_evidence_id,
        bool_or(is_own) as is_own
    from heard
    group by readers_id, age_evidence_id
)

select
    told.readers_id,
    told.is_own,
    evidence.* exclude (record_key, circle)
from told
inner join evidence on told.age_evidence_id = evidence.age_evidence_id
