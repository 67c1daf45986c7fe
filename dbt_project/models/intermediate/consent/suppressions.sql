with reasons as (
    {{ union_platforms('suppressions') }}
),

kinds as (
    select * from {{ ref('suppression_kinds') }}
)

select
    reasons.suppression_id,
    reasons.platform,
    reasons.account,
    reasons.record_id,
    reasons.world,
    reasons.kind,
    reasons.identifier_type,
    reasons.world || reasons.identifier as identifier,
    -- A kind that the vocabulary does not know binds the whole person.
    coalesce(reasons.scope, kinds.scope, 'person') as scope,
    coalesce(reasons.channel, '*') as channel,
    coalesce(reasons.topic, '*') as topic,
    coalesce(kinds.reason_code, 'legal_block') as reason_code,
    coalesce(kinds.blocks, 'all') as blocks,
    coalesce(kinds.lifted_by, 'review') as lifted_by,
    reasons.source,
    reasons.effective_at,
    reasons.recorded_at,
    reasons.ended_at
from reasons
left join kinds on reasons.kind = kinds.kind
