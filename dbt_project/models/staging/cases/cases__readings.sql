with statuses as (
    select * from {{ source('cases', 'statuses') }}
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
