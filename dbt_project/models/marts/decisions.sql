{#- What only a new fact takes away: while one of these stands, the rest may change and the answer
    does not. -#}
{% set lasting = [
    'erased', 'legal_block', 'registry_hit', 'registry_stale', 'invalid_address', 'hard_bounce',
    'carrier_block', 'spam_complaint', 'manual_block', 'withdrawn', 'held_for_review', 'no_grant',
    'pending', 'not_granted', 'unknown', 'implied_expired', 'jurisdiction_unknown',
    'age_no_evidence', 'identity_ambiguous', 'no_identifier',
] %}

with grants as (
    select * from {{ ref('question_grants') }}
),

blocks as (
    select * from {{ ref('question_blocks') }}
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

ages as (
    select * from {{ ref('age_state') }}
),

coming as (
    select * from {{ ref('coming_facts') }}
),

codes as (
    select list(code order by position) as in_order from {{ ref('reason_codes') }}
),

rules as (
    select * from {{ ref('rule_version') }}
),

-- What is known of each identifier that each question is about.
known as (
    select
        grants.*,
        coalesce(blocks.reason_codes, []) as block_codes,
        blocks.suppression_ids,
        -- What begins or ends whatever else speaks against the person.
        least(coming.comes_at, blocks.ends_at) as comes_at,

        coalesce(
            minors.is_child
            or (
                minors.is_minor
                and (grants.product_category <> 'none' or grants.channel = 'ads_audience')
            ),
            false
        ) as is_too_young,
        minors.next_change_at as grows_up_at,
        minors.answered_until,

        listed.fact_id as listing_id,
        listed.consent_lifts as consent_lifts_listing,
        -- A comparison of this very identifier goes before those of the whole list.
        case
            when not grants.may_be_us then null
            when checked.question_id is null then registries.reason_code
            else checked.reason_code
        end as registry_code,
        case
            when not grants.may_be_us then null
            when checked.question_id is null then registries.stale_at
            else checked.stale_at
        end as registry_stale_at,

        ages.readers_id is not null as is_age_judged,
        coalesce(ages.reason_codes, []) as age_codes,
        coalesce(ages.age_evidence_ids, []) as age_evidence_ids,
        ages.next_change_at as age_changes_at
    from grants
    left join blocks
        on
            grants.person_id = blocks.person_id
            and grants.identifier_type = blocks.identifier_type
            and grants.identifier = blocks.identifier
            and grants.question_id = blocks.question_id
    left join minors on grants.readers_id = minors.readers_id
    left join coming on grants.person_id = coming.person_id
    left join registries on grants.question_id = registries.question_id
    left join checked
        on grants.question_id = checked.question_id and grants.identifier = checked.identifier
    left join listed
        on grants.question_id = listed.question_id and grants.identifier = listed.identifier
    left join ages
        on
            grants.readers_id = ages.readers_id
            and grants.product_category = ages.product_category
            and grants.channel = ages.channel
),

-- Every reason that speaks against it.
considered as (
    select
        *,
        flatten([
            -- Suppressions: erased, a legal block, a bad address, a complaint, a block by hand.
            list_filter(block_codes, lambda code: code <> 'erased' or not is_given_anew),
            [
                case when is_nobodys then 'invalid_address' end,
                case
                    when is_anybodys and purpose = 'marketing' and product_category <> 'none'
                        then 'identity_ambiguous'
                end,
                case when purpose = 'marketing' and is_too_young then 'minor' end,
                case
                    when listing_id is not null and not (consent_lifts_listing and has_grant)
                        then 'registry_hit'
                end,
                registry_code,
                case
                    when product_category <> 'none' and not is_age_judged then 'age_no_evidence'
                end
            ],
            -- No consent, or none that counts; the place's law on the goods, and proofs of age.
            reason_codes,
            age_codes
        ]) as found,
        -- When one of these answers changes by itself.
        least(
            next_change_at,
            age_changes_at,
            registry_stale_at,
            case when purpose = 'marketing' and is_too_young then grows_up_at end,
            case when purpose = 'marketing' then answered_until end
        ) as turns_at
    from known
),

-- Telling a destination whom to leave alone needs no consent; only the erased are kept out of it.
judged as (
    select
        * replace (
            list_filter(
                found,
                lambda code:
                code is not null and (purpose <> 'suppression' or code = 'erased')
            ) as found
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
    list_sort(list_distinct(list_filter(
        flatten([
            coalesce(judged.suppression_ids, []),
            judged.evidence_ids,
            [judged.listing_id],
            coalesce(judged.age_evidence_ids, [])
        ]),
        lambda id: id is not null
    ))) as evidence_ids,
    rules.rule_version,
    len(judged.found) = 0 as eligible,
    -- A source that fell silent lets nobody in and throws nobody out.
    len(list_filter(judged.found, lambda code: code <> 'stale_source')) = 0 as may_remain,
    judged.as_of as decided_as_of,
    judged.known_at,
    least(
        judged.comes_at,
        case
            when
                judged.purpose <> 'suppression'
                and not list_has_any(judged.found, {{ lasting }})
                then judged.turns_at
        end
    ) as next_change_at
from judged
cross join codes
cross join rules
