with rules as (
    select * from {{ ref('person_age_rules') }}
),

judged as (
    select
        *,
        is_proof and today >= of_age_on as is_old_enough
    from {{ ref('judged_age_evidence') }}
),

proofs as (
    select * from judged
    where is_old_enough
),

-- What speaks against somebody yields to proof about somebody of the same name: a birth date to
-- stronger proof, a failed check to later proof of at least its level. A date typed after a typed
-- one failed contradicts it. A date that says the same as stronger proof goes on counting.
overruled as (
    select
        judged.person_id,
        judged.product_category,
        judged.channel,
        judged.age_evidence_id
    from judged
    inner join proofs
        on
            judged.person_id = proofs.person_id
            and judged.product_category = proofs.product_category
            and judged.channel = proofs.channel
            and coalesce(judged.bound_name = proofs.bound_name, true)
    where
        (
            judged.kind = 'dob'
            and judged.today < judged.of_age_on
            and proofs.level > judged.level
        )
        or (
            judged.kind in ('fail', 'under')
            and proofs.level >= judged.level
            and proofs.level > 2
            and proofs.verified_at > coalesce(judged.verified_at, judged.recorded_at)
        )
    group by all
),

-- The day from which no birth date says that a consent was given too young. What outweighs one now
-- says nothing of the time before its own day.
capable as (
    select
        person_id,
        product_category,
        channel,
        max(of_age_on) as born_of_age_on
    from (
        select
            born.person_id,
            born.product_category,
            born.channel,
            least(born.of_age_on, min(stronger.of_age_on)) as of_age_on
        from judged as born
        left join judged as stronger
            on
                born.person_id = stronger.person_id
                and born.product_category = stronger.product_category
                and born.channel = stronger.channel
                and coalesce(born.bound_name = stronger.bound_name, true)
                and stronger.is_proof
                and born.level < stronger.level
        where born.kind = 'dob'
        group by
            born.person_id, born.product_category, born.channel, born.age_evidence_id,
            born.of_age_on
    ) as dates
    group by person_id, product_category, channel
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
),

-- When a proof ends that answered something, that may come to count.
answers as (
    select
        proofs.person_id,
        proofs.product_category,
        proofs.channel,
        min(proofs.stands_until) as first_lapse_at
    from proofs
    semi join overruled
        on
            proofs.person_id = overruled.person_id
            and proofs.product_category = overruled.product_category
            and proofs.channel = overruled.channel
    group by proofs.person_id, proofs.product_category, proofs.channel
),

summed as (
    select
        person_id,
        product_category,
        channel,
        coalesce(bool_or(kind = 'dob' and today < of_age_on), false) as has_young,
        coalesce(bool_or(kind = 'under'), false) as has_under,
        coalesce(bool_or(kind = 'fail'), false) as has_failed,
        coalesce(bool_or(is_old_enough), false) as has_old,
        coalesce(bool_or(is_old_enough and is_strong_enough), false) as is_proven,
        coalesce(bool_or(is_proof), false) as has_proof,
        coalesce(bool_or(is_proof and is_strong_enough), false) as has_strong_proof,
        list(age_evidence_id order by age_evidence_id) as age_evidence_ids,
        min(of_age_on) filter (where is_proof and is_strong_enough) as proven_of_age_on,
        max(of_age_on::timestamp at time zone time_zone) filter (
            where kind = 'dob' and today < of_age_on and of_age_on < 'infinity'::date
        ) as grows_up_at,
        min(of_age_on::timestamp at time zone time_zone) filter (
            where is_proof and is_strong_enough and today < of_age_on
        ) as ripens_at,
        max(coalesce(stands_until, 'infinity'::timestamptz)) filter (
            where is_old_enough and is_strong_enough
        ) as lapses_at
    from counting
    group by person_id, product_category, channel
)

select
    rules.person_id,
    rules.world,
    rules.product_category,
    rules.channel,
    rules.time_zone,
    list_concat(
        rules.reason_codes,
        case
            when summed.person_id is null then ['age_no_evidence']
            else list_filter([
                case
                    when not has_proof and not has_young and not has_under then 'age_no_evidence'
                end,
                case
                    when has_proof and not is_proven and not (has_strong_proof and has_young)
                        then 'age_level_low'
                end,
                case
                    when has_failed or (has_old and (has_young or has_under)) then 'age_conflict'
                end,
                case when has_young or has_under then 'under_age' end
            ], lambda code: code is not null)
        end
    ) as reason_codes,
    coalesce(summed.age_evidence_ids, []) as age_evidence_ids,
    rules.required_level,
    rules.minimum_age,
    capable.born_of_age_on,
    summed.proven_of_age_on,
    least(
        case
            when summed.has_young then summed.grows_up_at
            when not summed.is_proven then summed.ripens_at
            when answers.person_id is not null
                then least(
                    answers.first_lapse_at, nullif(summed.lapses_at, 'infinity'::timestamptz)
                )
            else nullif(summed.lapses_at, 'infinity'::timestamptz)
        end,
        -- A rule begins and ends with its day in Greenwich.
        case
            when summed.person_id is not null
                then rules.rule_changes_on::timestamp at time zone 'UTC'
        end
    ) as next_change_at
from rules
left join summed
    on
        rules.person_id = summed.person_id
        and rules.product_category = summed.product_category
        and rules.channel = summed.channel
left join answers
    on
        rules.person_id = answers.person_id
        and rules.product_category = answers.product_category
        and rules.channel = answers.channel
left join capable
    on
        rules.person_id = capable.person_id
        and rules.product_category = capable.product_category
        and rules.channel = capable.channel
