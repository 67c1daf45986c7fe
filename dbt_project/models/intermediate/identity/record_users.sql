-- What a merge by hand or by a platform joins to a person, or an address alone, uses an identifier
-- for itself: no proof of age is carried to it.
with records as (
    select
        records.person_id,
        records.world,
        records.record_key,
        records.platform,
        records.account,
        records.record_id,
        components.circle,
        components.proof,
        latest.country is not null or latest.phone_key is not null as is_placed,
        trim(concat_ws(' ', latest.first_name, latest.last_name)) <> '' as is_named
    from {{ ref('person_records') }} as records
    inner join {{ ref('identity_components') }} as components
        on records.record_key = components.record_key
    inner join {{ ref('customer_records_latest') }} as latest
        on records.record_key = latest.record_key
),

merged as (
    select person_id
    from records
    group by person_id
    having min(proof) <> max(proof)
)

select
    records.* exclude (proof),
    case
        when merged.person_id is null then records.person_id
        else records.person_id || '/' || records.proof
    end as user_id
from records
left join merged on records.person_id = merged.person_id
