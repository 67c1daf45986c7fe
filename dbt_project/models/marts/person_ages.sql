{{ config(materialized='view') }}
{% set categories = ['alcohol', 'vape', 'tobacco', 'cannabis', 'adult'] %}

with found as (
    select
        person_id,
        product_category,
        reason_codes
    from {{ ref('age_state') }}
    union all
    select
        person_id,
        product_category,
        reason_codes
    from {{ ref('circle_ages') }}
),

minors as (
    select person_id from {{ ref('minors') }}
    where is_minor or is_child
),

judged as (
    select
        found.person_id,
        found.product_category,
        -- The age alone: what may be sent on which channel, decisions say.
        not bool_or(list_has_any(found.reason_codes, [
            'category_prohibited_there', 'jurisdiction_unknown', 'age_no_evidence',
            'age_level_low', 'age_conflict', 'under_age'
        ])) as is_of_age
    from found
    anti join minors on found.person_id = minors.person_id
    group by found.person_id, found.product_category
),

proven as (
    select
        person_id,
        product_category,
        max(level) as level
    from {{ ref('judged_age_evidence') }}
    where is_proof and today >= of_age_on
    group by person_id, product_category
)

select
    persons.person_id,
    {%- for category in categories %}
    coalesce(
        bool_or(judged.is_of_age) filter (where judged.product_category = '{{ category }}'), false
    ) as age_ok_{{ category }},
    max(proven.level) filter (
        where judged.product_category = '{{ category }}' and judged.is_of_age
    ) as age_level_{{ category }},
    {%- endfor %}
    any_value(clock.as_of) as age_as_of
from {{ ref('persons') }} as persons
inner join {{ ref('clock') }} as clock on persons.world = clock.world
left join judged on persons.person_id = judged.person_id
left join proven
    on
        judged.person_id = proven.person_id
        and judged.product_category = proven.product_category
group by persons.person_id
