with questions as (
    select * from {{ ref('questions') }}
),

findings as (
    select * from {{ ref('registry_findings') }}
)

select
    questions.question_id,
    findings.identifier,
    bool_and(registries.express_consent_lifts) as consent_lifts,
    min(findings.fact_id) as fact_id
from findings
inner join {{ ref('registries') }} as registries on findings.registry = registries.registry
inner join questions
    on
        list_contains(string_split(registries.channels, '|'), questions.channel)
        and (
            registries.categories = '*'
            or list_contains(string_split(registries.categories, '|'), questions.product_category)
        )
        and {{ in_force('registries', 'questions.as_of') }}
where
    questions.purpose = 'marketing'
    and registries.suppression_kind = 'registry_hit'
    and starts_with(findings.identifier, questions.world)
group by questions.question_id, findings.identifier
