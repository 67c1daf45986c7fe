with users as (
    select * from {{ ref('other_users') }}
),

ages as (
    select * from {{ ref('age_state') }}
)

select
    users.person_id,
    users.identifier_type,
    users.identifier,
    ages.product_category,
    ages.channel,
    list_sort(list_distinct(flatten(list(ages.reason_codes)))) as reason_codes,
    list_sort(list_distinct(flatten(list(ages.age_evidence_ids)))) as age_evidence_ids,
    min(ages.next_change_at) as next_change_at
from users
inner join ages on users.other_person_id = ages.person_id
group by
    users.person_id,
    users.identifier_type,
    users.identifier,
    ages.product_category,
    ages.channel
