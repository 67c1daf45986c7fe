with questions as (
    select * from {{ ref('questions') }}
),

keys as (
    select * from {{ ref('person_keys') }}
),

-- A listing stands until a later comparison finds the same identifier clear.
listings as (
    select
        receipts.registry,
        receipts.identifier,
        arg_max(receipts.fact_id, receipts.compared_at) filter (
            where receipts.result = 'listed'
        ) as fact_id
    from {{ ref('registry_receipts') }} as receipts
    inner join {{ ref('clock') }} as clock on receipts.world = clock.world
    where
        receipts.identifier is not null
        and receipts.result in ('listed', 'clear')
        and {{ policy('apply_registries') }} = 'true'
    group by receipts.registry, receipts.identifier
    having
        coalesce(
            max(receipts.compared_at) filter (where receipts.result = 'listed')
            >= max(receipts.compared_at) filter (where receipts.result = 'clear'),
            bool_or(receipts.result = 'listed')
        )
),

found as (
    select
        keys.identifier,
        listings.registry,
        listings.fact_id
    from keys
    inner join listings on keys.identifier = listings.identifier
    union all
    select
        keys.identifier,
        listings.registry,
        listings.fact_id
    from keys
    inner join listings
        on keys.world || '@' || split_part(keys.identifier, '@', -1) = listings.identifier
    where keys.identifier_type = 'email'
)

select
    questions.question_id,
    found.identifier,
    bool_and(registries.express_consent_lifts) as consent_lifts,
    min(found.fact_id) as fact_id
from found
inner join {{ ref('registries') }} as registries on found.registry = registries.registry
inner join questions
    on
        list_contains(string_split(registries.channels, '|'), questions.channel)
        and (
            registries.categories = '*'
            or list_contains(string_split(registries.categories, '|'), questions.product_category)
        )
where
    questions.purpose = 'marketing'
    and registries.suppression_kind = 'registry_hit'
    and starts_with(found.identifier, questions.world)
group by questions.question_id, found.identifier
