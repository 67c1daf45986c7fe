with clock as (
    select * from {{ ref('clock') }}
),

persons as (
    select * from {{ ref('persons') }}
),

records as (
    select
        person_records.person_id,
        records.*
    from {{ ref('customer_records_latest') }} as records
    inner join {{ ref('person_records') }} as person_records
        on records.record_key = person_records.record_key
),

placeholders as (
    select * from {{ ref('placeholder_birth_dates') }}
),

expiries as (
    select * from {{ ref('age_level_expiry') }}
),

-- The rules of all places that count for a person, bound together: the strictest of each kind.
subjects as (
    select
        persons.person_id,
        persons.world,
        jurisdictions.product_category,
        jurisdictions.channel,
        any_value(coalesce(persons.time_zone, {{ policy('unknown_time_zone') }})) as time_zone,
        any_value(
            (clock.as_of at time zone coalesce(persons.time_zone, {{ policy('unknown_time_zone') }}))::date
        ) as today,
        any_value(clock.as_of) as as_of,
        max(jurisdictions.required_level) as required_level,
        max(jurisdictions.minimum_age) as minimum_age,
        max(jurisdictions.year_of) as year_of,
        min(jurisdictions.born_before) as born_before,
        list_distinct(flatten(list(jurisdictions.reason_codes))) as reason_codes,
        min(jurisdictions.rule_changes_on) as rule_changes_on
    from persons
    inner join clock on persons.world = clock.world
    left join {{ ref('person_places') }} as places on persons.person_id = places.person_id
    inner join {{ ref('jurisdictions') }} as jurisdictions
        on
            persons.world = jurisdictions.world
            and places.country is not distinct from jurisdictions.country
            and places.region is not distinct from jurisdictions.region
    group by persons.person_id, persons.world, jurisdictions.product_category, jurisdictions.channel
),

-- Orders and logins that show that a proof is still about whoever uses the account.
anchors as (
    select
        evidence.age_evidence_id,
        max(events.occurred_at) as anchored_at
    from {{ ref('age_evidence') }} as evidence
    inner join clock on evidence.world = clock.world
    inner join {{ ref('customer_events') }} as events
        on
            evidence.person_id = events.person_id
            and events.event_name in ('order_placed', 'login')
            and events.occurred_at < clock.as_of
            and events.recorded_at <= clock.known_at
            and coalesce(lower(trim(events.person_name)) = lower(trim(evidence.bound_name)), true)
    group by evidence.age_evidence_id
),

-- A proof that bears another name than its record has by now is somebody else's.
renamed as (
    select evidence.age_evidence_id
    from {{ ref('age_evidence') }} as evidence
    inner join records
        on
            evidence.platform = records.platform
            and evidence.account = records.account
            and evidence.record_id = records.record_id
    where evidence.bound_name is not null and records.last_name is not null
    group by evidence.age_evidence_id, evidence.bound_name
    having not bool_or(
        lower(trim(concat_ws(' ', records.first_name, records.last_name)))
        = lower(trim(evidence.bound_name))
    )
),

known as (
    select
        evidence.*,
        least(
            evidence.expires_at,
            evidence.verified_at + case expiries.expires_unit
                when 'days' then to_days(expiries.expires_after)
                when 'years' then to_years(expiries.expires_after)
            end,
            greatest(evidence.verified_at, anchors.anchored_at) + to_months(expiries.anchor_months)
        ) as stands_until
    from {{ ref('age_evidence') }} as evidence
    inner join clock on evidence.world = clock.world
    left join expiries on evidence.level = expiries.level
    left join anchors on evidence.age_evidence_id = anchors.age_evidence_id
    left join placeholders
        on evidence.value = placeholders.birth_date and evidence.level <= placeholders.level
    where
        evidence.recorded_at <= clock.known_at
        and evidence.verified_at <= clock.as_of
        and placeholders.birth_date is null
        -- A failed check is never let go of by a change of name.
        and (
            evidence.kind in ('fail', 'under')
            or evidence.age_evidence_id not in (select age_evidence_id from renamed)
        )
),

judged as (
    select
        subjects.person_id,
        subjects.product_category,
        subjects.channel,
        subjects.time_zone,
        subjects.today,
        known.age_evidence_id,
        known.kind,
        known.level,
        known.value,
        lower(trim(known.bound_name)) as bound_name,
        known.verified_at,
        -- Nobody is believed to be older than 115.
        least(
            known.stands_until,
            case
                when known.kind = 'dob'
                    then {{ birthday('known.value', 115) }}::timestamp at time zone subjects.time_zone
            end
        ) as stands_until,
        known.level >= subjects.required_level as is_strong_enough,
        case known.kind
            when 'dob'
                then case
                    when known.value >= subjects.born_before then 'infinity'::date
                    else greatest(
                        {{ birthday('known.value', 'subjects.minimum_age') }},
                        make_date((year(known.value) + subjects.year_of)::integer, 1, 1)
                    )
                end
            -- Who was over n then has been over n + k for k years since, and not for certain before.
            when 'over'
                then case
                    when subjects.born_before is not null
                        and known.verified_at::date - to_years(known.threshold) >= subjects.born_before
                        then 'infinity'::date
                    else {{ birthday(
                        'known.verified_at::date',
                        'greatest(subjects.minimum_age - known.threshold, 0)',
                    ) }}
                end
        end as of_age_on
    from subjects
    inner join known on subjects.person_id = known.person_id
    where
        coalesce(known.stands_until > subjects.as_of, true)
        and (
            known.kind <> 'dob'
            or (
                known.value < subjects.today
                and {{ birthday('known.value', 115) }} > subjects.today
            )
        )
),

-- A weaker birth date yields to a stronger proof about somebody of the same name.
overruled as (
    select
        weaker.person_id,
        weaker.product_category,
        weaker.channel,
        weaker.age_evidence_id
    from judged as weaker
    inner join judged as stronger
        on
            weaker.person_id = stronger.person_id
            and weaker.product_category = stronger.product_category
            and weaker.channel = stronger.channel
            and weaker.bound_name = stronger.bound_name
    where
        weaker.kind = 'dob'
        and stronger.kind in ('dob', 'over')
        and weaker.level < stronger.level
    group by all
),

-- A failed check stands until proof of at least its level came after it.
answered as (
    select
        failure.person_id,
        failure.product_category,
        failure.channel,
        failure.age_evidence_id
    from judged as failure
    inner join judged as proof
        on
            failure.person_id = proof.person_id
            and failure.product_category = proof.product_category
            and failure.channel = proof.channel
    where
        failure.kind in ('fail', 'under')
        and proof.kind in ('dob', 'over')
        and proof.level >= failure.level
        -- A date typed after a typed one failed contradicts it.
        and proof.level > 2
        and proof.verified_at > failure.verified_at
    group by all
),

counting as (
    select judged.*
    from judged
    anti join overruled
        on
            judged.person_id = overruled.person_id
            and judged.product_category = overruled.product_category
            and judged.channel = overruled.channel
            and judged.age_evidence_id = overruled.age_evidence_id
    anti join answered
        on
            judged.person_id = answered.person_id
            and judged.product_category = answered.product_category
            and judged.channel = answered.channel
            and judged.age_evidence_id = answered.age_evidence_id
),

-- When one of several proofs ends that answer one another, any of the others may come to count.
lapses as (
    select
        person_id,
        product_category,
        channel,
        min(stands_until) as first_lapse_at
    from judged
    group by person_id, product_category, channel
),

silenced as (
    select
        person_id,
        product_category,
        channel
    from overruled
    union
    select
        person_id,
        product_category,
        channel
    from answered
),

summed as (
    select
        person_id,
        product_category,
        channel,
        coalesce(bool_or(kind = 'dob' and today < of_age_on), false) as has_young,
        coalesce(bool_or(kind in ('dob', 'over') and today >= of_age_on), false) as has_old,
        coalesce(bool_or(kind in ('fail', 'under')), false) as has_failed,
        coalesce(bool_or(is_strong_enough and today >= of_age_on), false) as is_proven,
        coalesce(bool_or(kind in ('dob', 'over')), false) as has_evidence,
        list(age_evidence_id order by age_evidence_id) as age_evidence_ids,
        -- The day from which the person was of age for certain, and by which kind of proof.
        max(of_age_on) filter (where kind = 'dob') as born_of_age_on,
        min(of_age_on) filter (where kind = 'over') as proven_of_age_on,
        max(of_age_on::timestamp at time zone time_zone) filter (
            where kind = 'dob' and today < of_age_on and of_age_on < 'infinity'::date
        ) as grows_up_at,
        min(of_age_on::timestamp at time zone time_zone) filter (
            where kind = 'over' and is_strong_enough and today < of_age_on
        ) as ripens_at,
        max(coalesce(stands_until, 'infinity'::timestamptz)) filter (
            where is_strong_enough and today >= of_age_on
        ) as lapses_at
    from counting
    group by person_id, product_category, channel
)

select
    subjects.person_id,
    subjects.world,
    subjects.product_category,
    subjects.channel,
    subjects.time_zone,
    list_concat(
        subjects.reason_codes,
        case
            when summed.has_young and (summed.has_old or summed.has_failed)
                then ['age_conflict', 'under_age']
            when summed.has_young then ['under_age']
            when summed.has_failed then ['age_conflict']
            when summed.is_proven then []
            when summed.has_evidence then ['age_level_low']
            else ['age_no_evidence']
        end
    ) as reason_codes,
    coalesce(summed.age_evidence_ids, []) as age_evidence_ids,
    subjects.required_level,
    subjects.minimum_age,
    summed.born_of_age_on,
    summed.proven_of_age_on,
    least(
        case
            when summed.has_young or summed.has_failed
                then least(summed.grows_up_at, lapses.first_lapse_at)
            when not summed.is_proven then summed.ripens_at
            when silenced.person_id is not null then lapses.first_lapse_at
            when summed.lapses_at < 'infinity'::timestamptz then summed.lapses_at
        end,
        -- A rule begins and ends with its day of Greenwich.
        case
            when summed.person_id is not null
                then subjects.rule_changes_on::timestamp at time zone 'UTC'
        end
    ) as next_change_at
from subjects
left join summed
    on
        subjects.person_id = summed.person_id
        and subjects.product_category = summed.product_category
        and subjects.channel = summed.channel
left join lapses
    on
        subjects.person_id = lapses.person_id
        and subjects.product_category = lapses.product_category
        and subjects.channel = lapses.channel
left join silenced
    on
        subjects.person_id = silenced.person_id
        and subjects.product_category = silenced.product_category
        and subjects.channel = silenced.channel
