with shown as (
    select
        *,
        lag(value) over (
            partition by account, platform, record_id, identifier, field, detail, topic, channel
            order by recorded_at, fact_id
        ) as former_value
    from {{ source('cases', 'statuses') }}
    -- A value that is missing changes nothing.
    where value is not null
),

-- A snapshot without a time of its own that shows the same again is no new act.
statuses as (
    select * from shown
    where valid_lo is not null or former_value is distinct from value
),

vocabulary as (
    select * from {{ ref('platform_values') }}
)

select
    statuses.*,
    case when contains(statuses.identifier, '@') then 'email' else 'phone' end as identifier_type,
    case
        when contains(statuses.identifier, '@') then {{ email_key('statuses.identifier') }}
        else {{ phone_key('statuses.identifier') }}
    end as identifier_key,
    case
        when exact.value is not null then exact.state
        when general.value is not null then general.state
        else 'withdrawn'
    end as state,
    coalesce(exact.suppression_kind, general.suppression_kind) as suppression_kind,
    coalesce(
        statuses.channel,
        case when exact.value is not null then exact.channel else general.channel end
    ) as read_channel,
    case when exact.value is not null then exact.scope else general.scope end as scope,
    coalesce(statuses.evidence, false)
    or coalesce(exact.evidence, general.evidence, false) as has_evidence,
    coalesce(statuses.actor, exact.actor, general.actor, 'unknown') as read_actor,
    case
        when exact.value is null and general.value is null then 'unseen_value'
        else coalesce(statuses.told_method, exact.method, general.method)
    end as method
from statuses
left join vocabulary as exact
    on
        statuses.platform = exact.platform
        and statuses.field = exact.field
        and statuses.value = exact.value
        and statuses.detail = exact.detail
left join vocabulary as general
    on
        statuses.platform = general.platform
        and statuses.field = general.field
        and statuses.value = general.value
        and general.detail = '*'
