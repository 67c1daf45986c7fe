-- A merge by hand or by a platform says who is whom, and carries no proof of age along: what only
-- it joins has to be proven for itself.
with records as (
    select
        person_records.person_id,
        person_records.record_key,
        person_records.platform,
        person_records.account,
        person_records.record_id,
        components.proof
    from {{ ref('person_records') }} as person_records
    inner join {{ ref('identity_components') }} as components
        on person_records.record_key = components.record_key
),

merged as (
    select person_id
    from records
    group by person_id
    having min(proof) <> max(proof)
),

parts as (
    select records.*
    from records
    semi join merged on records.person_id = merged.person_id
),

held as (
    select distinct
        parts.person_id,
        parts.proof,
        keys.key_type as identifier_type,
        keys.target_key as identifier
    from {{ ref('identity_keys') }} as keys
    inner join parts on keys.record_key = parts.record_key
    where
        keys.is_current
        and keys.is_live
        and keys.target_key is not null
        and keys.key_type in ('email', 'phone')
),

proofs as (
    select
        parts.person_id,
        parts.proof,
        judged.product_category,
        judged.channel,
        coalesce(bool_or(judged.today >= judged.of_age_on), false) as is_proven,
        min(
            case
                when judged.today >= judged.of_age_on then judged.stands_until
                when judged.of_age_on < 'infinity'::date
                    then judged.of_age_on::timestamp at time zone judged.time_zone
            end
        ) as next_change_at
    from {{ ref('judged_age_evidence') }} as judged
    inner join {{ ref('age_evidence') }} as evidence
        on judged.age_evidence_id = evidence.age_evidence_id
    inner join parts
        on
            evidence.platform = parts.platform
            and evidence.account = parts.account
            and evidence.record_id = parts.record_id
    where judged.is_proof and judged.is_strong_enough
    group by parts.person_id, parts.proof, judged.product_category, judged.channel
)

select
    held.person_id,
    held.identifier_type,
    held.identifier,
    ages.product_category,
    ages.channel,
    case
        when not coalesce(bool_and(coalesce(proofs.is_proven, false)), false)
            then ['age_no_evidence']
        else []
    end as reason_codes,
    min(proofs.next_change_at) as next_change_at
from held
inner join {{ ref('age_state') }} as ages on held.person_id = ages.person_id
left join proofs
    on
        held.person_id = proofs.person_id
        and held.proof = proofs.proof
        and ages.product_category = proofs.product_category
        and ages.channel = proofs.channel
group by
    held.person_id,
    held.identifier_type,
    held.identifier,
    ages.product_category,
    ages.channel
