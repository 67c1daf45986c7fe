-- Where an identifier is an office's or everybody's, who else uses it is past counting.
with shown as (
    select
        records.person_id,
        keys.key_type,
        keys.target_key,
        keys.is_current and keys.is_live as is_held,
        unnest(keys.suppression_keys) as key
    from {{ ref('identity_keys') }} as keys
    inner join {{ ref('person_records') }} as records on keys.record_key = records.record_key
    where keys.key_type in ('email', 'phone') and not keys.is_role and not keys.is_blocked
),

several as (
    select shown.key
    from shown
    anti join {{ ref('shared_keys') }} as shared on shown.key = shared.key
    where not contains(shown.key, 'phone_end:')
    group by shown.key
    having min(shown.person_id) <> max(shown.person_id)
),

named as (
    select distinct person_records.person_id
    from {{ ref('customer_records_latest') }} as records
    inner join {{ ref('person_records') }} as person_records
        on records.record_key = person_records.record_key
    where trim(concat_ws(' ', records.first_name, records.last_name)) <> ''
)

-- Somebody without a name is nobody else beside one who has one.
select distinct
    own.person_id,
    own.key_type as identifier_type,
    own.target_key as identifier,
    other.person_id as other_person_id
from shown as own
inner join several on own.key = several.key
inner join shown as other on own.key = other.key
inner join named on other.person_id = named.person_id
where own.is_held and own.target_key is not null and own.person_id <> other.person_id
