-- Whoever reads an address may live anywhere that one of its users does; offices' addresses too.
with records as (
    select
        person_records.person_id,
        person_records.record_key,
        components.proof,
        latest.country is not null or latest.phone_key is not null as is_placed,
        trim(concat_ws(' ', latest.first_name, latest.last_name)) <> '' as is_named
    from {{ ref('person_records') }} as person_records
    inner join {{ ref('identity_components') }} as components
        on person_records.record_key = components.record_key
    inner join {{ ref('customer_records_latest') }} as latest
        on person_records.record_key = latest.record_key
),

-- A merge by hand or by a platform lets nobody in: what only it joins has its own place or none.
parts as (
    select
        person_id,
        proof
    from records
    group by person_id, proof
    having not bool_or(is_placed)
),

merged as (
    select person_id
    from records
    group by person_id
    having min(proof) <> max(proof)
),

displaced as (
    select distinct
        keys.key_type,
        keys.target_key
    from records
    semi join merged on records.person_id = merged.person_id
    inner join parts on records.person_id = parts.person_id and records.proof = parts.proof
    inner join {{ ref('identity_keys') }} as keys on records.record_key = keys.record_key
    where keys.is_current and keys.is_live and keys.target_key is not null
),

shown as (
    select
        records.person_id,
        keys.key_type,
        keys.target_key,
        keys.is_current and keys.is_live as is_held,
        unnest(keys.suppression_keys) as key
    from {{ ref('identity_keys') }} as keys
    inner join records on keys.record_key = records.record_key
    where keys.key_type in ('email', 'phone') and not keys.is_blocked
),

several as (
    select key
    from shown
    where not contains(key, 'phone_end:')
    group by key
    having min(person_id) <> max(person_id)
),

named as (
    select distinct person_id
    from records
    where is_named
),

countries as (
    select
        person_id,
        case when min(country) = max(country) then min(country) end as country
    from {{ ref('person_places') }}
    group by person_id
),

-- Somebody without a name is nobody else beside one who has one.
laws as (
    select
        shown.key,
        {%- for rule in [
            'email_needs_grant', 'ads_need_grant', 'needs_express', 'is_place_unknown', 'may_be_us'
        ] %}
        coalesce(
            bool_or(law.{{ rule }}) filter (where named.person_id is not null),
            bool_or(law.{{ rule }})
        ) as {{ rule }},
        {%- endfor %}
        min(countries.country) = max(countries.country)
        and count(*) = count(countries.country) as is_of_one_country
    from shown
    inner join several on shown.key = several.key
    inner join {{ ref('person_grant_rules') }} as law on shown.person_id = law.person_id
    left join named on shown.person_id = named.person_id
    left join countries on shown.person_id = countries.person_id
    group by shown.key
),

told as (
    select
        shown.key_type,
        shown.target_key,
        laws.* exclude (key)
    from shown
    inner join laws on shown.key = laws.key
    where shown.is_held and shown.target_key is not null
    union all by name
    select
        key_type,
        target_key,
        true as email_needs_grant,
        true as ads_need_grant,
        true as needs_express,
        true as is_place_unknown,
        true as may_be_us,
        false as is_of_one_country
    from displaced
)

select
    key_type as identifier_type,
    target_key as identifier,
    bool_or(email_needs_grant) as email_needs_grant,
    bool_or(ads_need_grant) as ads_need_grant,
    bool_or(needs_express) as needs_express,
    bool_or(is_place_unknown) as is_place_unknown,
    bool_or(may_be_us) as may_be_us,
    coalesce(bool_and(is_of_one_country), false) as is_of_one_country
from told
group by key_type, target_key
