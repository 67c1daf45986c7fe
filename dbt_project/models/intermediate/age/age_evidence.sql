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
    -- As with statements, receipt is all that is certain where a clock runs far ahead.
    case
        when
            evidence.verified_at
            > evidence.recorded_at + to_minutes({{ policy('clock_skew_minutes') }}::integer)
            then evidence.recorded_at
        else evidence.verified_at
    end as verified_at,
    evidence.recorded_at,
    evidence.expires_at
from evidence
inner join {{ ref('clock') }} as clock on evidence.world = clock.world
left join records
    on
        evidence.platform = records.platform
        and evidence.account = records.account
        and evidence.record_id = records.record_id
