with statements as (
    {{ union_platforms('consent_events') }}
),

accounts as (
    select * from {{ source('audiences', 'accounts') }}
),

limits as (
    select * from {{ ref('honour_limits') }}
)

select
    statements.consent_event_id,
    statements.platform,
    statements.account,
    statements.record_id,
    statements.identifier_type,
    statements.identifier,
    accounts.brand,
    statements.sender,
    statements.channel,
    statements.purpose,
    statements.topic,
    statements.state,
    statements.basis,
    statements.method,
    statements.actor,
    statements.source,
    statements.origin_write_id,
    statements.evidence,
    statements.age_capable_at_capture,
    statements.effective_lo,
    statements.effective_hi,
    statements.recorded_at,
    statements.source_seen_at,
    case
        when statements.state = 'withdrawn'
            then statements.recorded_at + to_hours(limits.hours)
    end as honour_by,
    statements.expires_at
from statements
left join accounts
    on statements.platform = accounts.platform and statements.account = accounts.account
left join limits on statements.channel = limits.channel
