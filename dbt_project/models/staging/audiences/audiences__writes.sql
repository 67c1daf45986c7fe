with acts as (
    select * from {{ ref('stg_audiences__webhooks') }}
    where fits and act = 'written'
)

select
    'audiences:' || account || ':act:' || act_id as write_id,
    written_platform as platform,
    written_account as account,
    '' as world,
    channel,
    identifier_type,
    case identifier_type
        when 'email' then {{ told_email('identifier') }}
        when 'phone' then {{ told_phone('identifier') }}
    end as identifier,
    true as is_by_hand,
    acted_at as written_at
from acts
union all by name
select
    write_id,
    platform,
    account,
    '' as world,
    channel,
    identifier_type,
    identifier,
    false as is_by_hand,
    written_at
from {{ source('audiences', 'writes') }}
where identifier is not null
{%- if var('cases', false) %}
union all by name
select
    world || fact_id as write_id,
    platform,
    account,
    world,
    channel,
    case when contains(identifier, '@') then 'email' else 'phone' end as identifier_type,
    case
        when contains(identifier, '@') then {{ told_email('identifier') }}
        else {{ told_phone('identifier') }}
    end as identifier,
    false as is_by_hand,
    valid_hi as written_at
from {{ source('cases', 'writes') }}
where state = 'withdrawn'
{%- endif %}
