with evidence as (
    {{ union_platforms('age_evidence') }}
),

records as (
    select * from {{ ref('person_records') }}
)

select
    evidence.age_evidence_id,
    records.person_id,
    evidence.world,
    evidence.platform,
    evidence.account,
    evidence.record_id,
    evidence.kind,
    evidence.provider,
    evidence.bound_name,
    evidence.bound_identifier,
    evidence.level,
    evidence.threshold,
    evidence.value,
    evidence.verified_at,
    evidence.recorded_at,
    evidence.expires_at
from evidence
left join records
    on
        evidence.platform = records.platform
        and evidence.account = records.account
        and evidence.record_id = records.record_id
