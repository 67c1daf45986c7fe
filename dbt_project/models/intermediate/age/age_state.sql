with rules as (
    select * from {{ ref('readers_age_rules') }}
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
        judged.readers_id,
        judged.product_category,
        judged.channel,
        judged.age_evidence_id
    from judged
    inner join proofs
        on
            judged.readers_id = proofs.readers_id
            and judged.product_category = proofs.product_category
            and judged.channel = proofs.channel
            and {{ same_person('judged', 'proofs') }}
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

-- What outweighs a birth date now says nothing of the time before its own day.
outweighed as (
    select
        born.readers_id,
        born.product_category,
        born.channel,
        born.age_evidence_id,
        min(stronger.of_age_on) as of_age_on
    from judged as born
    inner join judged as stronger
        on
            born.readers_id = stronger.readers_id
            and born.product_category = stronger.product_category
            and born.channel = stronger.channel
            and {{ same_person('born', 'stronger') }}
    where born.kind = 'dob' and stronger.is_proof and born.level < stronger.level
    group by all
),

-- The day from which no birth date says that a consent was given too young.
capable as (
    select
        born.readers_id,
        born.product_category,
        born.channel,
        max(least(born.of_age_on, outweighed.of_age_on)) as born_of_age_on
    from judged as born
    left join outweighed
        on
            born.readers_id = outweighed.readers_id
            and born.product_category = outweighed.product_category
            and born.channel = outweighed.channel
            and born.age_evidence_id = outweighed.age_evidence_id
    where born.kind = 'dob'
    group by born.readers_id, born.product_category, born.channel
),

counting as (
    select judged.*
    from judged
    anti join overruled
        on
            judged.readers_id = overruled.readers_id
            and judged.product_category = overruled.product_category
            and judged.channel = overruled.channel
            and judged.age_evidence_id = overruled.age_evidence_id
),

-- When a proof ends that answered something, that may come to count.
answers as (
    select
        proofs.readers_id,
        proofs.product_category,
        proofs.channel,
        min(proofs.stands_until) as first_lapse_at
    from proofs
    semi join overruled
        on
            proofs.readers_id = overruled.readers_id
            and proofs.product_category = overruled.product_category
            and proofs.channel = overruled.channel
    group by proofs.readers_id, proofs.product_category, proofs.channel
),

-- Each user has to be of age.
by_user as (
    select
        judged.readers_id,
        judged.product_category,
        judged.channel,
        judged.user_id,
        coalesce(bool_or(judged.is_proof), false) as has_proof,
        coalesce(bool_or(judged.is_proof and judged.is_strong_enough), false) as has_strong_proof,
        coalesce(bool_or(judged.is_old_enough and judged.is_strong_enough), false) as is_proven,
        coalesce(
            bool_or(
                overruled.age_evidence_id is null
                and judged.kind = 'dob'
                and judged.today < judged.of_age_on
            ),
            false
        ) as has_young,
        coalesce(
            bool_or(overruled.age_evidence_id is null and judged.kind = 'under'), false
        ) as has_under,
        min(judged.of_age_on) filter (
            where judged.is_proof and judged.is_strong_enough
        ) as proven_of_age_on,
        min(judged.of_age_on::timestamp at time zone judged.time_zone) filter (
            where judged.is_proof and judged.is_strong_enough and judged.today < judged.of_age_on
        ) as ripens_at,
        max(coalesce(judged.stands_until, 'infinity'::timestamptz)) filter (
            where judged.is_old_enough and judged.is_strong_enough
        ) as lapses_at
    from judged
    left join overruled
        on
            judged.readers_id = overruled.readers_id
            and judged.product_category = overruled.product_category
            and judged.channel = overruled.channel
            and judged.age_evidence_id = overruled.age_evidence_id
    where judged.is_own
    group by judged.readers_id, judged.product_category, judged.channel, judged.user_id
),

users as (
    select
        readers_id,
        product_category,
        channel,
        count(*) as told_of,
        bool_and(is_proven) as are_proven,
        bool_or(not has_proof and not has_young and not has_under) as lacks_evidence,
        bool_or(has_proof and not is_proven and not (has_strong_proof and has_young))
            as lacks_level,
        case
            when bool_and(proven_of_age_on is not null) then max(proven_of_age_on)
        end as proven_of_age_on,
        min(ripens_at) as ripens_at,
        min(lapses_at) as lapses_at
    from by_user
    group by readers_id, product_category, channel
),

summed as (
    select
        readers_id,
        product_category,
        channel,
        coalesce(bool_or(kind = 'dob' and today < of_age_on), false) as has_young,
        coalesce(bool_or(kind = 'under'), false) as has_under,
        coalesce(bool_or(kind = 'fail'), false) as has_failed,
        coalesce(bool_or(is_own and is_old_enough), false) as has_old,
        list(age_evidence_id order by age_evidence_id) as age_evidence_ids,
        max(of_age_on::timestamp at time zone time_zone) filter (
            where kind = 'dob' and today < of_age_on and of_age_on < 'infinity'::date
        ) as grows_up_at
    from counting
    group by readers_id, product_category, channel
)

select
    rules.readers_id,
    rules.world,
    rules.product_category,
    rules.channel,
    rules.time_zone,
    list_concat(
        rules.reason_codes,
        list_filter([
            case
                when coalesce(users.told_of < rules.user_count or users.lacks_evidence, true)
                    then 'age_no_evidence'
            end,
            case when users.lacks_level then 'age_level_low' end,
            case
                when
                    summed.has_failed
                    or (summed.has_old and (summed.has_young or summed.has_under))
                    then 'age_conflict'
            end,
            case when summed.has_young or summed.has_under then 'under_age' end
        ], lambda code: code is not null)
    ) as reason_codes,
    coalesce(summed.age_evidence_ids, []) as age_evidence_ids,
    rules.required_level,
    rules.minimum_age,
    capable.born_of_age_on,
    case
        when users.told_of = rules.user_count then users.proven_of_age_on
    end as proven_of_age_on,
    least(
        case
            when summed.has_young then summed.grows_up_at
            when not coalesce(users.are_proven, false) then users.ripens_at
            when answers.readers_id is not null
                then least(
                    answers.first_lapse_at, nullif(users.lapses_at, 'infinity'::timestamptz)
                )
            else nullif(users.lapses_at, 'infinity'::timestamptz)
        end,
        -- A rule begins and ends with its day in Greenwich.
        case
            when summed.readers_id is not null
                then rules.rule_changes_on::timestamp at time zone 'UTC'
        end
    ) as next_change_at
from rules
left join users
    on
        rules.readers_id = users.readers_id
        and rules.product_category = users.product_category
        and rules.channel = users.channel
left join summed
    on
        rules.readers_id = summed.readers_id
        and rules.product_category = summed.product_category
        and rules.channel = summed.channel
left join answers
    on
        rules.readers_id = answers.readers_id
        and rules.product_category = answers.product_category
        and rules.channel = answers.channel
left join capable
    on
        rules.readers_id = capable.readers_id
        and rules.product_category = capable.product_category
        and rules.channel = capable.channel
