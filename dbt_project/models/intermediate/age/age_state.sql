with persons as (
    select * from {{ ref('persons') }}
),

jurisdictions as (
    select * from {{ ref('jurisdictions') }}
),

clock as (
    select * from {{ ref('clock') }}
),

placeholders as (
    select * from {{ ref('placeholder_birth_dates') }}
),

-- Today where the person lives; where that is unknown, where the day begins last.
subjects as (
    select
        persons.person_id,
        jurisdictions.product_category,
        jurisdictions.channel,
        jurisdictions.required_level,
        jurisdictions.minimum_age,
        jurisdictions.reason_codes,
        coalesce(persons.time_zone, 'Etc/GMT+12') as time_zone,
        (clock.as_of at time zone coalesce(persons.time_zone, 'Etc/GMT+12'))::date as today
    from persons
    inner join jurisdictions
        on
            persons.world = jurisdictions.world
            and persons.country is not distinct from jurisdictions.country
            and persons.region is not distinct from jurisdictions.region
    inner join clock on persons.world = clock.world
),

evidence as (
    select evidence.*
    from {{ ref('age_evidence') }} as evidence
    inner join clock on evidence.world = clock.world
    left join placeholders
        on evidence.value = placeholders.birth_date and evidence.level <= placeholders.level
    where
        evidence.recorded_at <= clock.known_at
        and evidence.verified_at <= clock.as_of
        and (evidence.expires_at is null or evidence.expires_at > clock.as_of)
        and placeholders.birth_date is null
),

judged as (
    select
        subjects.person_id,
        subjects.product_category,
        subjects.channel,
        evidence.age_evidence_id,
        evidence.kind,
        evidence.level,
        evidence.verified_at,
        evidence.level >= subjects.required_level as strong_enough,
        case evidence.kind
            when 'dob' then {{ birthday('evidence.value', 'subjects.minimum_age') }}
            when 'over' then {{ birthday(
                'evidence.verified_at::date',
                'greatest(subjects.minimum_age - evidence.threshold, 0)',
            ) }}
        end as of_age_on,
        subjects.today,
        subjects.time_zone
    from subjects
    inner join evidence on subjects.person_id = evidence.person_id
    where
        evidence.kind <> 'dob'
        or (
            evidence.value < subjects.today
            and {{ birthday('evidence.value', 115) }} > subjects.today
        )
),

-- A failed check stands until proof of at least its level came after it.
failed as (
    select
        person_id,
        product_category,
        channel,
        age_evidence_id
    from judged as failure
    where
        kind in ('fail', 'under')
        and not exists (
            from judged as proof
            where
                proof.person_id = failure.person_id
                and proof.product_category = failure.product_category
                and proof.channel = failure.channel
                and proof.kind in ('dob', 'over')
                and proof.level >= failure.level
                and proof.verified_at > failure.verified_at
        )
),

summed as (
    select
        judged.person_id,
        judged.product_category,
        judged.channel,
        bool_or(judged.kind = 'dob' and judged.today < judged.of_age_on) as too_young,
        bool_or(failed.age_evidence_id is not null) as contradicted,
        coalesce(
            bool_or(judged.strong_enough and judged.today >= judged.of_age_on), false
        ) as proven,
        bool_or(judged.kind in ('dob', 'over')) as has_evidence,
        list(judged.age_evidence_id order by judged.age_evidence_id) as age_evidence_ids,
        max(judged.of_age_on::timestamp at time zone judged.time_zone) filter (
            where judged.kind = 'dob' and judged.today < judged.of_age_on
        ) as next_change_at
    from judged
    left join failed
        on
            judged.person_id = failed.person_id
            and judged.product_category = failed.product_category
            and judged.channel = failed.channel
            and judged.age_evidence_id = failed.age_evidence_id
    group by judged.person_id, judged.product_category, judged.channel
)

select
    subjects.person_id,
    subjects.product_category,
    subjects.channel,
    case
        when summed.too_young then list_append(subjects.reason_codes, 'under_age')
        when summed.contradicted then list_append(subjects.reason_codes, 'age_conflict')
        when summed.proven then subjects.reason_codes
        when summed.has_evidence then list_append(subjects.reason_codes, 'age_level_low')
        else list_append(subjects.reason_codes, 'age_no_evidence')
    end as reason_codes,
    coalesce(summed.age_evidence_ids, []) as age_evidence_ids,
    subjects.required_level,
    subjects.minimum_age,
    summed.next_change_at
from subjects
left join summed
    on
        subjects.person_id = summed.person_id
        and subjects.product_category = summed.product_category
        and subjects.channel = summed.channel
