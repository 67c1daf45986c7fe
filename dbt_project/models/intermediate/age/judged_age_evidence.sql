with rules as (
    select * from {{ ref('readers_age_rules') }}
),

evidence as (
    select
        *,
        verified_at::date as verified_on
    from {{ ref('readers_evidence') }}
)

select
    rules.readers_id,
    rules.product_category,
    rules.channel,
    rules.time_zone,
    rules.today,
    evidence.age_evidence_id,
    evidence.user_id,
    evidence.is_own,
    evidence.kind,
    evidence.level,
    evidence.bound_name,
    evidence.verified_at,
    evidence.recorded_at,
    -- Nobody is believed to be older than 115.
    least(
        evidence.stands_until,
        case
            when evidence.kind = 'dob'
                then {{ birthday('evidence.value', 115) }}::timestamp at time zone rules.time_zone
        end
    ) as stands_until,
    evidence.level >= rules.required_level as is_strong_enough,
    -- What is old or another's proves nothing any more, and still speaks against the person.
    -- An OVER that names no age proves none.
    (evidence.kind = 'dob' or (evidence.kind = 'over' and evidence.threshold is not null))
    and evidence.is_bound
    and not evidence.is_dead
    and coalesce(evidence.stands_until > rules.as_of, true) as is_proof,
    case evidence.kind
        when 'dob'
            then case
                when evidence.value >= rules.born_before then 'infinity'::date
                else greatest(
                    {{ birthday('evidence.value', 'rules.minimum_age') }},
                    make_date((year(evidence.value) + rules.year_of)::integer, 1, 1)
                )
            end
        -- Who was over n then has been over n + k for k years since, and not for certain before.
        when 'over'
            then case
                when evidence.verified_on - to_years(evidence.threshold) >= rules.born_before
                    then 'infinity'::date
                else greatest(
                    {{ birthday(
                        'evidence.verified_on',
                        'greatest(rules.minimum_age - evidence.threshold, 0)',
                    ) }},
                    make_date(
                        (year(evidence.verified_on) - evidence.threshold + rules.year_of)::integer,
                        1,
                        1
                    )
                )
            end
    end as of_age_on
from rules
inner join evidence on rules.readers_id = evidence.readers_id
where
    evidence.kind <> 'dob'
    or (evidence.value < rules.today and {{ birthday('evidence.value', 115) }} > rules.today)
