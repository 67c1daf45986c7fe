-- Of each person as such, whatever the identifier.
with ages as (
    select ages.*
    from {{ ref('age_state') }} as ages
    inner join {{ ref('decided_identifiers') }} as people
        on ages.readers_id = people.readers_id
    where people.identifier_type = 'person'
),

judged as (
    select
        product_category,
        channel,
        len(reason_codes) = 0 as may_be_addressed,
        list_has_any(
            reason_codes, ['category_prohibited_there', 'category_prohibited_on_channel']
        ) as unlawful_there,
        list_contains(reason_codes, 'jurisdiction_unknown') as place_unknown,
        -- The verdict on the age itself, whatever the law of the place says beside it.
        coalesce(
            list_filter(
                ['under_age', 'age_conflict', 'age_level_low', 'age_no_evidence'],
                lambda code: list_contains(reason_codes, code)
            )[1],
            'of_age'
        ) as verdict
    from ages
)

select
    product_category,
    channel,
    count(*) as persons,
    count(*) filter (where verdict = 'of_age') as of_age,
    count(*) filter (where verdict = 'under_age') as under_age,
    count(*) filter (where verdict = 'age_conflict') as in_conflict,
    count(*) filter (where verdict = 'age_level_low') as too_weak,
    count(*) filter (where verdict = 'age_no_evidence') as no_evidence,
    count(*) filter (where unlawful_there) as unlawful_there,
    count(*) filter (where place_unknown) as place_unknown,
    count(*) filter (where may_be_addressed) as may_be_addressed
from judged
group by product_category, channel
