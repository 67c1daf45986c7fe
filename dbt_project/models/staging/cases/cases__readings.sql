with statuses as (
    select * from {{ source('cases', 'statuses') }}
),

vocabulary as (
    select * from {{ ref('platform_values') }}
),

-- The row that names value and detail, else the value, else any value.
matched as (
    select
        statuses.*,
        vocabulary.value is not null as is_known,
        vocabulary.state as read_state,
        vocabulary.suppression_kind,
        vocabulary.method as read_method
    from statuses
    left join vocabulary
        on
            statuses.platform = vocabulary.platform
            and statuses.field = vocabulary.field
            and vocabulary.value in (statuses.value, '*')
            and vocabulary.detail in (statuses.detail, '*')
    where statuses.value is not null
    qualify row_number() over (
        partition by statuses.world, statuses.fact_id
        order by vocabulary.value = '*', vocabulary.detail = '*'
    ) = 1
)

select
    *,
    case when contains(identifier, '@') then 'email' else 'phone' end as identifier_type,
    case
        when contains(identifier, '@') then {{ email_key('identifier') }}
        else {{ phone_key('identifier') }}
    end as identifier_key,
    case when is_known then read_state else 'withdrawn' end as state,
    case when is_known then coalesce(told_method, read_method) else 'unseen_value' end as method
from matched
