{{ config(materialized='view') }}

with questions as (
    select * from {{ ref('questions') }}
),

keys as (
    select * from {{ ref('decided_identifiers') }}
),

blocks as (
    select * from {{ ref('question_blocks') }}
),

minors as (
    select * from {{ ref('minors') }}
),

ages as (
    select * from {{ ref('age_state') }}
),

reassigned as (
    select * from {{ ref('reassigned_numbers') }}
),

consent as (
    select * from {{ ref('consent_state') }}
),

implied as (
    select * from {{ ref('implied_grants') }}
),

-- The law where any user of an identifier lives holds for whatever is sent to it.
law as (
    select * from {{ ref('readers_grant_rules') }}
),

known as (
    select
        keys.person_id,
        keys.identifier_type,
        keys.identifier,
        keys.readers_id,
        keys.is_nobodys,
        keys.is_anybodys,
        questions.question_id,
        questions.channel,
        questions.purpose,
        questions.product_category,
        questions.as_of,
        questions.known_at,

        -- An express act after an erasure opens the identifier and channel that it names.
        coalesce(
            case questions.purpose
                when 'transactional' then consent.given_at
                else consent.acted_at
            end > blocks.erased_at,
            false
        ) as is_given_anew,
        blocks.erased_at,
        reassigned.since as reassigned_since,

        consent.consent_event_id,
        coalesce(consent.state, 'no_grant') as consent_state,
        coalesce(consent.state_beneath, 'no_grant') as consent_beneath,
        coalesce(consent.asked_state, 'no_grant') as asked_state,
        coalesce(consent.is_reopened, false) as is_reopened,
        consent.is_express,
        consent.is_fresh as is_consent_fresh,
        case questions.purpose
            when 'transactional' then consent.spoken_at
            else consent.granted_at
        end as granted_at,
        coalesce(consent.is_held, false) as is_held,
        -- From when on it was granted for certain, and by when at the latest; and of that what a
        -- source shows that answers.
        (consent.granted_at at time zone coalesce(ages.time_zone, minors.time_zone))::date
            as granted_on,
        (
            coalesce(consent.granted_by, consent.granted_at)
            at time zone coalesce(ages.time_zone, minors.time_zone)
        )::date as granted_by_day,
        (
            case when consent.fresh_by is null then consent.granted_at else consent.fresh_at end
            at time zone coalesce(ages.time_zone, minors.time_zone)
        )::date as fresh_on,
        (
            coalesce(consent.fresh_by, consent.granted_by, consent.granted_at)
            at time zone coalesce(ages.time_zone, minors.time_zone)
        )::date as fresh_by_day,
        consent.granted_until,
        least(consent.stale_at, consent.lapses_at) as consent_stale_at,
        implied.ground_id,
        implied.granted_until as implied_until,
        implied.given_at as implied_at,
        coalesce(implied.is_fresh, true) as is_implied_fresh,
        implied.stale_at as implied_stale_at,
        (implied.given_at at time zone coalesce(ages.time_zone, minors.time_zone))::date
            as implied_on,

        case questions.channel
            when 'email' then law.email_needs_grant
            when 'ads_audience' then law.ads_need_grant
            else true
        end as needs_grant,
        -- Texts and calls want express consent in the US too.
        law.needs_express or questions.channel in ('sms', 'mms', 'voice') as needs_express,
        coalesce(law.is_place_unknown, true) as is_place_unknown,
        law.may_be_us,

        minors.may_consent_from,
        ages.born_of_age_on,
        ages.proven_of_age_on
    from keys
    inner join questions
        on keys.world = questions.world and keys.identifier_type = questions.identifier_type
    left join blocks
        on
            keys.person_id = blocks.person_id
            and keys.identifier_type = blocks.identifier_type
            and keys.identifier = blocks.identifier
            and questions.question_id = blocks.question_id
    left join minors on keys.readers_id = minors.readers_id
    left join ages
        on
            keys.readers_id = ages.readers_id
            and questions.product_category = ages.product_category
            and questions.channel = ages.channel
    left join reassigned on keys.identifier = reassigned.identifier
    left join consent
        on
            keys.identifier_type = consent.identifier_type
            and keys.identifier = consent.identifier
            and questions.channel = consent.channel
            and questions.purpose = consent.purpose
            and questions.topic = consent.topic
            and questions.sender = consent.sender
    left join implied
        on
            keys.person_id = implied.person_id
            and keys.identifier_type = implied.identifier_type
            and keys.identifier = implied.identifier
            and questions.channel = implied.channel
            and questions.product_category = implied.product_category
    left join law on keys.readers_id = law.readers_id
),

granted as (
    select
        *,
        consent_beneath = 'granted'
        -- A number that was given up after the consent is somebody else's now.
        and coalesce(
            identifier_type <> 'phone' or reassigned_since < granted_at::date,
            reassigned_since is null
        )
        -- Nothing from before an erasure comes back.
        and coalesce(granted_at > erased_at, erased_at is null)
        and (is_express or not needs_express) as has_grant,
        -- Nor does the law imply again what somebody once ended.
        implied_until is not null
        and not is_reopened
        and coalesce(implied_at > erased_at, erased_at is null) as has_ground
    from known
),

-- A consent given under age is void, and one before any proof is not good enough for texts, whose
-- carriers want the proof first. One and the same consent must be of age and from a source that
-- answers.
weighed as (
    select
        *,
        has_ground and implied_until > as_of as is_implied,
        has_grant and not coalesce(
            granted_by_day < born_of_age_on or granted_by_day < may_consent_from, false
        ) as is_of_age,
        has_grant and is_consent_fresh and not coalesce(
            fresh_by_day < born_of_age_on or fresh_by_day < may_consent_from, false
        ) as is_fresh_of_age,
        has_ground and implied_until > as_of and not coalesce(
            implied_on < born_of_age_on or implied_on < may_consent_from, false
        ) as is_implied_of_age,
        channel <> 'email' and product_category <> 'none' as needs_proof_first,
        identifier_type = 'phone'
        and reassigned_since is not null
        and not case purpose
            when 'transactional' then coalesce(reassigned_since < granted_at::date, false)
            else has_grant
        end as is_reassigned
    from granted
),

able as (
    select
        *,
        purpose = 'marketing' and needs_grant and (has_grant or is_implied) as rests_on_consent,
        is_of_age and (
            not needs_proof_first or coalesce(granted_on >= proven_of_age_on, false)
        ) as is_able,
        is_fresh_of_age and (
            not needs_proof_first or coalesce(fresh_on >= proven_of_age_on, false)
        ) as is_able_and_fresh
    from weighed
)

select
    person_id,
    identifier_type,
    identifier,
    readers_id,
    is_nobodys,
    is_anybodys,
    question_id,
    channel,
    purpose,
    product_category,
    as_of,
    known_at,
    may_be_us,
    has_grant,
    is_given_anew,
    list_filter(
        [
            case when is_reassigned then 'carrier_block' end,
            case when consent_state = 'withdrawn' then 'withdrawn' end,
            case when is_held and purpose = 'marketing' then 'held_for_review' end,
            -- What the person must be told needs no grant, only the absence of a stop.
            case
                when purpose = 'transactional' or has_grant or is_implied then null
                when not needs_grant then null
                when
                    has_ground
                    or (
                        consent_beneath = 'expired'
                        and erased_at is null
                        and (is_express or not needs_express)
                    )
                    then 'implied_expired'
                when consent_beneath in ('granted', 'expired') then asked_state
                else consent_beneath
            end,
            case when purpose = 'marketing' and is_place_unknown then 'jurisdiction_unknown' end,
            case
                when not rests_on_consent or is_able or is_implied_of_age then null
                when is_of_age then 'capacity_unproven'
                else 'capacity_void'
            end,
            case
                when not rests_on_consent then null
                when is_able_and_fresh or (is_implied_of_age and is_implied_fresh) then null
                when is_able or is_implied_of_age then 'stale_source'
                when has_grant and is_consent_fresh then null
                when is_implied and is_implied_fresh then null
                else 'stale_source'
            end
        ],
        lambda code: code is not null
    ) as reason_codes,
    list_filter([consent_event_id, ground_id], lambda id: id is not null) as evidence_ids,
    least(
        case when consent_state = 'granted' then consent_stale_at end,
        case when purpose = 'marketing' and consent_state = 'granted' then granted_until end,
        case
            when purpose = 'marketing' and is_implied and not is_able_and_fresh
                then nullif(least(implied_until, implied_stale_at), 'infinity'::timestamptz)
        end
    ) as next_change_at
from able
