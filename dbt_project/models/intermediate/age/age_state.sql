with rules as (
    select * from {{ ref('person_age_rules') }}
),

judged as (
    select * from {{ ref('judged_age_evidence') }}
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
        and not stronger.is_dead
    group by all
),

-- The day from which nothing says that a consent was given too young. A proof that outweighs a birth
-- date says nothing of the time before it.
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
                and born.bound_name = stronger.bound_name
                and born.level < stronger.level
                and stronger.kind in ('dob', 'over')
                and not stronger.is_dead
        where born.kind = 'dob'
        group by
            born.person_id, born.product_category, born.channel, born.age_evidence_id,
            born.of_age_on
    )
    group by person_id, product_category, channel
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
        and not proof.is_dead
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
    rules.person_id,
    rules.world,
    rules.product_category,
    rules.channel,
    rules.time_zone,
    list_concat(
        rules.reason_codes,
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
    rules.required_level,
    rules.minimum_age,
    capable.born_of_age_on,
    summed.proven_of_age_on,
    least(
        case
            when summed.has_young or summed.has_failed
                then least(summed.grows_up_at, lapses.first_lapse_at)
            when not summed.is_proven then summed.ripens_at
            when silenced.person_id is not null then lapses.first_lapse_at
            when summed.lapses_at < 'infinity'::timestamptz then summed.lapses_at
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
left join lapses
    on
        rules.person_id = lapses.person_id
        and rules.product_category = lapses.product_category
        and rules.channel = lapses.channel
left join silenced
    on
        rules.person_id = silenced.person_id
        and rules.product_category = silenced.product_category
        and rules.channel = silenced.channel
left join capable
    on
        rules.person_id = capable.person_id
        and rules.product_category = capable.product_category
        and rules.channel = capable.channel
