with questions as (
    select * from {{ ref('questions') }}
),

clock as (
    select * from {{ ref('clock') }}
),

-- The registries that guard what a question is about, with the last comparison of the whole list.
guards as (
    select
        questions.question_id,
        questions.as_of,
        registries.registry,
        max(receipts.compared_at) + to_days({{ policy('registry_max_days') }}::integer) as stale_at
    from questions
    inner join clock on questions.world = clock.world
    inner join {{ ref('registries') }} as registries
        on
            registries.needed
            and list_contains(string_split(registries.channels, '|'), questions.channel)
            and list_contains(string_split(registries.categories, '|'), questions.product_category)
    left join {{ ref('registry_receipts') }} as receipts
        on
            questions.world = receipts.world
            and registries.registry = receipts.registry
            and receipts.identifier is null
    where questions.purpose = 'marketing' and {{ policy('apply_registries') }} = 'true'
    group by questions.question_id, questions.as_of, registries.registry, clock.policies
)

select
    question_id,
    case when bool_or(coalesce(stale_at <= as_of, true)) then 'registry_stale' end as reason_code,
    min(stale_at) filter (where stale_at > as_of) as stale_at
from guards
group by question_id
