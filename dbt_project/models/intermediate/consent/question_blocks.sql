with questions as (
    select * from {{ ref('questions') }}
),

-- A block binds the questions of the channels and topics that it names.
blocks as (
    select
        questions.question_id,
        blocks.person_id,
        blocks.identifier_type,
        blocks.identifier,
        blocks.reason_codes,
        blocks.suppression_ids,
        blocks.erased_at,
        blocks.ends_at
    from {{ ref('identifier_blocks') }} as blocks
    inner join questions
        on
            blocks.world = questions.world
            and blocks.identifier_type = questions.identifier_type
            and (blocks.blocks = 'all' or questions.purpose = 'marketing')
            and blocks.channel in ('*', questions.channel)
            and blocks.topic in ('*', questions.topic)
    union all
    select
        questions.question_id,
        blocks.person_id,
        keys.identifier_type,
        keys.identifier,
        blocks.reason_codes,
        blocks.suppression_ids,
        blocks.erased_at,
        blocks.ends_at
    from {{ ref('person_blocks') }} as blocks
    inner join {{ ref('decided_identifiers') }} as keys on blocks.person_id = keys.person_id
    inner join questions
        on
            keys.world = questions.world
            and keys.identifier_type = questions.identifier_type
            and blocks.channel in ('*', questions.channel)
            and blocks.topic in ('*', questions.topic)
)

select
    question_id,
    person_id,
    identifier_type,
    identifier,
    list_sort(list_distinct(flatten(list(reason_codes)))) as reason_codes,
    list_sort(list_distinct(flatten(list(suppression_ids)))) as suppression_ids,
    max(erased_at) as erased_at,
    min(ends_at) as ends_at
from blocks
group by question_id, person_id, identifier_type, identifier
