with questions as (
    select * from {{ ref('questions') }}
),

clock as (
    select * from {{ ref('clock') }}
),

whole_lists as (
    select
        world,
        registry,
        max(compared_at) as compared_at
    from {{ ref('registry_receipts') }}
    where identifier is null
    group by world, registry
),

guards as (
    select
        questions.world,
        questions.question_id,
        questions.as_of,
        registries.registry,
        to_days(
            least(registries.max_days, {{ policy('registry_max_days') }}::integer)
        ) as counts_for
    from questions
    inner join clock on questions.world = clock.world
    inner join {{ ref('registries') }} as registries
        on
            registries.needed
            and list_contains(string_split(registries.channels, '|'), questions.channel)
            and list_contains(string_split(registries.categories, '|'), questions.product_category)
            and {{ in_force('registries', 'questions.as_of') }}
    where questions.purpose = 'marketing' and {{ policy('apply_registries') }} = 'true'
)

select
    guards.world,
    guards.question_id,
    guards.registry,
    guards.as_of,
    guards.counts_for,
    whole_lists.compared_at + guards.counts_for as stale_at
from guards
left join whole_lists
    on guards.world = whole_lists.world and guards.registry = whole_lists.registry
