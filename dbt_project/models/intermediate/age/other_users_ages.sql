with users as (
    select * from {{ ref('other_users') }}
),

ages as (
    select * from {{ ref('age_state') }}
),

told as (
    select
        users.person_id,
        users.identifier_type,
        users.identifier,
        ages.product_category,
        ages.channel,
        ages.reason_codes,
        ages.age_evidence_ids,
        ages.next_change_at
    from users
    inner join ages on users.other_person_id = ages.person_id
    union all
    select
        person_id,
        identifier_type,
        identifier,
        product_category,
        channel,
        reason_codes,
        []::varchar[] as age_evidence_ids,
        next_change_at
    from {{ ref('joined_by_hand_ages') }}
)

select
    person_id,
    identifier_type,
    identifier,
    product_category,
    channel,
    list_sort(list_distinct(flatten(list(reason_codes)))) as reason_codes,
    list_sort(list_distinct(flatten(list(age_evidence_ids)))) as age_evidence_ids,
    min(next_change_at) as next_change_at
from told
group by person_id, identifier_type, identifier, product_category, channel
