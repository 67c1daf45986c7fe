{{ config(materialized='view') }}
{% set categories = ['alcohol', 'vape', 'tobacco', 'cannabis', 'adult'] %}

-- Of each person as such, whatever the identifier.
with people as (
    select
        person_id,
        readers_id
    from {{ ref('decided_identifiers') }}
    where identifier_type = 'person'
),

minors as (
    select readers_id from {{ ref('minors') }}
    where is_minor or is_child
),

judged as (
    select
        people.person_id,
        ages.product_category,
        -- The age alone: what may be sent on which channel, decisions say.
        not bool_or(list_has_any(ages.reason_codes, [
            'category_prohibited_there', 'jurisdiction_unknown', 'age_no_evidence',
            'age_level_low', 'age_conflict', 'under_age'
        ])) as is_of_age
    from people
    inner join {{ ref('age_state') }} as ages on people.readers_id = ages.readers_id
    anti join minors on people.readers_id = minors.readers_id
    group by people.person_id, ages.product_category
),

proven as (
    select
        people.person_id,
        evidence.product_category,
        max(evidence.level) as level
    from people
    inner join {{ ref('judged_age_evidence') }} as evidence
        on people.readers_id = evidence.readers_id
    where evidence.is_own and evidence.is_proof and evidence.today >= evidence.of_age_on
    group by people.person_id, evidence.product_category
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
