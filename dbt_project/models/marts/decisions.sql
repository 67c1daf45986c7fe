with channels as (
    select
        channel,
        -- What an ad platform matches on is decided as the e-mail address is.
        case identifier_type when 'any' then 'email' else identifier_type end as identifier_type
    from {{ ref('channel_kinds') }}
),

questions as (
    select
        questions.*,
        channels.identifier_type
    from {{ ref('questions') }} as questions
    inner join channels on questions.channel = channels.channel
),

keys as (
    select
        person_id,
        world,
        identifier_type,
        identifier
    from {{ ref('person_keys') }}
    union all
    select
        person_id,
        world,
        'person' as identifier_type,
        person_id as identifier
    from {{ ref('persons') }}
),

-- A block binds the questions of the channels and topics that it names.
blocks as (
    select
        questions.question_id,
        blocks.person_id,
        blocks.identifier_type,
        blocks.identifier,
        flatten(list(blocks.reason_codes)) as reason_codes,
        flatten(list(blocks.suppression_ids)) as suppression_ids
    from {{ ref('identifier_blocks') }} as blocks
    inner join questions
        on
            blocks.world = questions.world
            and blocks.identifier_type = questions.identifier_type
            and (blocks.blocks = 'all' or questions.purpose = 'marketing')
            and blocks.channel in ('*', questions.channel)
            and blocks.topic in ('*', questions.topic)
    group by all
),

person_blocks as (
    select
        questions.question_id,
        blocks.person_id,
        flatten(list(blocks.reason_codes)) as reason_codes,
        flatten(list(blocks.suppression_ids)) as suppression_ids
    from {{ ref('person_blocks') }} as blocks
    inner join questions
        on
            blocks.world = questions.world
            and blocks.channel in ('*', questions.channel)
            and blocks.topic in ('*', questions.topic)
    group by all
),

consent as (
    select * from {{ ref('consent_state') }}
),

ages as (
    select * from {{ ref('age_state') }}
),

-- Where a grant is needed at all, and where only an express one counts.
law as (
    select
        persons.person_id,
        kinds.channel,
        case kinds.channel
            when 'ads_audience'
                then coalesce(bool_or(
                    places.country is null
                    or list_contains(
                        string_split({{ policy('ads_require_grant') }}, ','),
                        case when places.country in {{ european_union() }} then 'EU' else places.country end
                    )
                ), true)
            else coalesce(bool_or(
                places.country is distinct from 'US'
                or {{ policy('us_email_requires_grant') }} = 'true'
            ), true)
        end as needs_grant,
        coalesce(bool_or(places.country is distinct from 'US'), true) as needs_express,
        bool_or(places.country is null) as is_unknown,
        coalesce(bool_or(places.country is null or places.country = 'US'), true) as may_be_us
    from {{ ref('persons') }} as persons
    inner join {{ ref('clock') }} as clock on persons.world = clock.world
    cross join {{ ref('channel_kinds') }} as kinds
    left join {{ ref('person_places') }} as places on persons.person_id = places.person_id
    group by persons.person_id, kinds.channel
),

minors as (
    select * from {{ ref('minors') }}
),

registries as (
    select * from {{ ref('question_registries') }}
),

checked as (
    select * from {{ ref('registry_checks') }}
),

listed as (
    select * from {{ ref('registry_listings') }}
),

reassigned as (
    select
        receipts.identifier,
        -- Without a day of its own it was given up by the day of the comparison.
        max(coalesce(receipts.since, receipts.compared_at::date)) as since
    from {{ ref('registry_receipts') }} as receipts
    inner join {{ ref('clock') }} as clock on receipts.world = clock.world
    where receipts.result = 'disconnected' and {{ policy('apply_registries') }} = 'true'
    group by receipts.identifier
),

implied as (
    select * from {{ ref('implied_grants') }}
),

codes as (
    select list(code order by position) as in_order from {{ ref('reason_codes') }}
),

rules as (
    select * from {{ ref('rule_version') }}
),

considered as (
    select
        keys.person_id,
        keys.identifier_type,
        keys.identifier,
        questions.question_id,
        questions.purpose,
        flatten([
            coalesce(person_blocks.reason_codes, []),
            coalesce(blocks.reason_codes, []),
            [
                case
                    when
                        questions.purpose = 'marketing'
                        and (
                            minors.is_child
                            or (
                                minors.is_minor
                                and (questions.product_category <> 'none' or questions.channel = 'ads_audience')
                            )
                        )
                        then 'minor'
                end,
                case
                    when not law.may_be_us then null
                    when checked.question_id is null then registries.reason_code
                    else checked.reason_code
                end,
                case
                    when
                        listed.identifier is not null
                        and not (listed.consent_lifts and consent.state is not distinct from 'granted')
                        then 'registry_hit'
                end,
                case
                    when
                        questions.channel in ('sms', 'mms', 'voice')
                        and reassigned.since >= coalesce(consent.granted_at::date, '-infinity'::date)
                        then 'carrier_block'
                end,
                -- What the person must be told needs no grant, only the absence of a stop.
                case
                    when consent.state = 'withdrawn' then 'withdrawn'
                    when questions.purpose = 'transactional' then null
                    when consent.state = 'held_for_review' then 'held_for_review'
                    when consent.state = 'granted' and (consent.is_express or not law.needs_express)
                        then null
                    when implied.granted_until > questions.as_of then null
                    when
                        consent.state is distinct from 'granted'
                        and not law.needs_grant
                        and questions.channel in ('email', 'ads_audience')
                        then null
                    when implied.granted_until is not null or consent.state = 'expired'
                        then 'implied_expired'
                    when consent.state = 'granted' then 'no_grant'
                    else coalesce(consent.state, 'no_grant')
                end,
                case
                    when questions.purpose = 'marketing' and coalesce(law.is_unknown, true)
                        then 'jurisdiction_unknown'
                end,
                case
                    when questions.product_category <> 'none' and ages.person_id is null
                        then 'age_no_evidence'
                end,
                -- A consent given under age is void, and one before any proof is not good enough for
                -- texts, whose carriers want the proof first.
                case
                    when consent.state is distinct from 'granted' then null
                    when
                        (consent.granted_at at time zone ages.time_zone)::date < ages.born_of_age_on
                        then 'capacity_void'
                    when
                        keys.identifier_type = 'phone'
                        and ages.born_of_age_on is null
                        and ages.proven_of_age_on is not null
                        and not coalesce(
                            (consent.granted_at at time zone ages.time_zone)::date
                            >= ages.proven_of_age_on,
                            false
                        )
                        then 'capacity_unproven'
                end,
                case when consent.state = 'granted' and not consent.is_fresh then 'stale_source' end
            ],
            coalesce(ages.reason_codes, [])
        ]) as found,
        flatten([
            coalesce(person_blocks.suppression_ids, []),
            coalesce(blocks.suppression_ids, []),
            [consent.consent_event_id, implied.ground_id, listed.fact_id],
            coalesce(ages.age_evidence_ids, [])
        ]) as evidence_ids,
        questions.as_of,
        questions.known_at,
        least(
            ages.next_change_at,
            case
                when not law.may_be_us then null
                when checked.question_id is null then registries.stale_at
                else checked.stale_at
            end,
            case when consent.state = 'granted' then consent.granted_until end,
            case when consent.state = 'granted' then consent.stale_at end,
            case
                when
                    consent.state is distinct from 'granted'
                    and implied.granted_until > questions.as_of
                    and implied.granted_until < 'infinity'::timestamptz
                    then implied.granted_until
            end
        ) as next_change_at
    from keys
    inner join questions
        on keys.world = questions.world and keys.identifier_type = questions.identifier_type
    left join person_blocks
        on
            keys.person_id = person_blocks.person_id
            and questions.question_id = person_blocks.question_id
    left join blocks
        on
            keys.person_id = blocks.person_id
            and keys.identifier_type = blocks.identifier_type
            and keys.identifier = blocks.identifier
            and questions.question_id = blocks.question_id
    left join minors on keys.person_id = minors.person_id
    left join registries on questions.question_id = registries.question_id
    left join checked
        on
            questions.question_id = checked.question_id
            and keys.identifier = checked.identifier
    left join listed
        on
            questions.question_id = listed.question_id
            and keys.identifier = listed.identifier
    left join reassigned on keys.identifier = reassigned.identifier
    left join law
        on keys.person_id = law.person_id and questions.channel = law.channel
    left join implied
        on
            keys.person_id = implied.person_id
            and keys.identifier_type = implied.identifier_type
            and keys.identifier = implied.identifier
            and questions.channel = implied.channel
            and implied.category in ('*', questions.product_category)
    left join consent
        on
            keys.identifier_type = consent.identifier_type
            and keys.identifier = consent.identifier
            and questions.channel = consent.channel
            and questions.purpose = consent.purpose
            and questions.topic = consent.topic
            and questions.sender = consent.sender
    left join ages
        on
            keys.person_id = ages.person_id
            and questions.product_category = ages.product_category
            and questions.channel = ages.channel
),

-- Telling a destination whom to leave alone needs no consent; only the erased are kept out of it.
judged as (
    select
        * replace (
            list_filter(
                found,
                lambda code:
                code is not null and (purpose <> 'suppression' or code = 'erased')
            ) as found,
            list_distinct(list_filter(evidence_ids, lambda id: id is not null)) as evidence_ids
        )
    from considered
)

select
    judged.person_id,
    judged.identifier_type,
    judged.identifier,
    judged.question_id,
    case
        when len(judged.found) = 0 then ['ok']
        else list_filter(codes.in_order, lambda code: list_contains(judged.found, code))
    end as reason_codes,
    judged.evidence_ids,
    rules.rule_version,
    len(judged.found) = 0 as eligible,
    -- A source that fell silent lets nobody in and throws nobody out.
    len(list_filter(judged.found, lambda code: code <> 'stale_source')) = 0 as may_remain,
    judged.as_of as decided_as_of,
    judged.known_at,
    judged.next_change_at
from judged
cross join codes
cross join rules
