with ages as (
    select * from {{ source('cases', 'ages') }}
),

tags as (
    select * from {{ ref('age_tags') }}
)

select
    ages.world,
    ages.platform,
    ages.world || ages.fact_id as age_evidence_id,
    ages.account,
    ages.record_id,
    coalesce(tags.kind, ages.kind) as kind,
    coalesce(ages.provider, tags.provider) as provider,
    ages.bound_name,
    {{ told_email('ages.bound_identifier') }} as bound_identifier,
    coalesce(tags.level, ages.level, 0) as level,
    coalesce(tags.threshold, ages.threshold) as threshold,
    case when ages.kind = 'dob' then {{ birth_date('ages.value') }} end as value,
    -- With no beginning known it may have been at any time before.
    case when ages.valid_lo is not null then ages.valid_hi end as verified_at,
    ages.recorded_at,
    ages.expires_at
from ages
left join tags
    on
        ages.kind = 'tag'
        and ages.platform = tags.platform
        and ages.value = tags.tag
        and {{ in_force('tags', 'ages.recorded_at') }}
where ages.kind <> 'tag' or tags.tag is not null
