with reasons as (
    {{ union_platforms('suppressions') }}
),

kinds as (
    select * from {{ ref('suppression_kinds') }}
),

accounts as (
    select * from {{ source('audiences', 'accounts') }}
),

keys as (
    select * from {{ ref('identifier_keys') }}
),

reviews as (
    select * from {{ ref('reviews') }}
),

clock as (
    select
        world,
        as_of,
        to_minutes({{ policy('clock_skew_minutes') }}::integer) as skew
    from {{ ref('clock') }} as clock
)

select
    reasons.suppression_id,
    reasons.platform,
    reasons.account,
    reasons.record_id,
    reasons.world,
    reasons.kind,
    reasons.identifier_type,
    reasons.identifier as told,
    reasons.world || keys.target_key as identifier,
    {{ in_world('reasons.world', 'keys.suppression_keys') }} as suppression_keys,
    -- A kind that the vocabulary does not know binds the whole person.
    coalesce(reasons.scope, kinds.scope, 'person') as scope,
    coalesce(reasons.channel, '*') as channel,
    coalesce(reasons.topic, '*') as topic,
    coalesce(kinds.reason_code, 'legal_block') as reason_code,
    coalesce(kinds.blocks, 'all') as blocks,
    coalesce(kinds.lifted_by, 'review') as lifted_by,
    reasons.source,
    -- As with statements, receipt is all that is certain where a clock runs far ahead.
    case
        when reasons.effective_at > reasons.recorded_at + clock.skew then reasons.recorded_at
        else reasons.effective_at
    end as effective_at,
    least(
        coalesce(reasons.effective_lo, reasons.effective_at), reasons.recorded_at
    ) as closes_from,
    reasons.recorded_at,
    -- What waits for a person ends with the verdict.
    coalesce(
        reasons.ended_at, case when starts_with(reasons.kind, 'held_') then reviews.reviewed_at end
    ) as ended_at,
    reasons.said_on,
    reasons.words
from reasons
inner join clock on reasons.world = clock.world
left join kinds
    on reasons.kind = kinds.kind and {{ in_force('kinds', 'clock.as_of') }}
left join accounts
    on reasons.platform = accounts.platform and reasons.account = accounts.account
left join keys
    on
        reasons.identifier_type = keys.identifier_type
        and reasons.identifier = keys.told
        and {{ read_by_account('reasons', 'accounts') }} = keys.read_in
left join reviews on reasons.suppression_id = reviews.reviewed_id
