with guards as (
    select * from {{ ref('registry_guards') }}
)

select
    question_id,
    case when bool_or(coalesce(stale_at < as_of, true)) then 'registry_stale' end as reason_code,
    min(stale_at) filter (where stale_at >= as_of) as stale_at
from guards
group by question_id
