-- Whoever may be the same person, or share an identifier with somebody, hears of no goods for which
-- one of them is known to be too young or failed a check.
with ages as (
    select * from {{ ref('age_state') }}
),

circles as (
    select * from {{ ref('person_circles') }}
),

suspected as (
    select
        circles.circle,
        ages.product_category,
        ages.channel,
        min(ages.person_id) as person_id,
        max(ages.person_id) as other_person_id,
        list_distinct(flatten(list(
            list_intersect(ages.reason_codes, ['under_age', 'age_conflict'])
        ))) as reason_codes,
        list_distinct(flatten(list(ages.age_evidence_ids))) as age_evidence_ids,
        min(ages.next_change_at) as next_change_at
    from ages
    inner join circles on ages.person_id = circles.person_id
    where list_has_any(ages.reason_codes, ['under_age', 'age_conflict'])
    group by circles.circle, ages.product_category, ages.channel
)

select
    circles.person_id,
    suspected.product_category,
    suspected.channel,
    list_sort(list_distinct(flatten(list(suspected.reason_codes)))) as reason_codes,
    list_sort(list_distinct(flatten(list(suspected.age_evidence_ids)))) as age_evidence_ids,
    min(suspected.next_change_at) as next_change_at
from suspected
inner join circles on suspected.circle = circles.circle
-- What is known of the person alone says so itself.
where suspected.person_id <> circles.person_id or suspected.other_person_id <> circles.person_id
group by circles.person_id, suspected.product_category, suspected.channel
