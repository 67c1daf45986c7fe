with acts as (
    select * from {{ ref('klaviyo__acts') }}
),

names as (
    select * from {{ ref('event_names') }}
    where platform = 'klaviyo' and (state is not null or suppression_kind is not null)
),

statements as (
    select
        acts.*,
        names.channel,
        names.state,
        names.method,
        case
            when
                names.suppression_kind = 'hard_bounce'
                and lower(coalesce(
                    (acts.properties ->> '$."Bounce Type"'), (acts.properties ->> '$.bounce_type')
                )) = 'soft'
                then null
            else names.suppression_kind
        end as suppression_kind
    from acts
    inner join names
        on acts.raw_name = names.raw_name and {{ in_force('names', 'acts.first_seen_at') }}
),

profiles as (
    select profiles.*
    from {{ ref('stg_klaviyo__profiles') }} as profiles
    semi join statements
        on profiles.account = statements.account and profiles.record_id = statements.record_id
    where profiles.fits
    qualify row_number() over (
        partition by profiles.account, profiles.record_id
        order by profiles.updated_at desc, profiles.first_seen_at desc, profiles.payload_hash
    ) = 1
)

select
    statements.account,
    statements.act_id,
    statements.record_id,
    coalesce({{ told_email('statements.email') }}, {{ told_email('profiles.email') }}) as email,
    coalesce({{ told_phone('statements.phone') }}, {{ told_phone('profiles.phone') }}) as phone,
    statements.raw_name,
    statements.channel,
    statements.state,
    statements.method,
    statements.suppression_kind,
    statements.occurred_at,
    statements.first_seen_at
from statements
left join profiles
    on statements.account = profiles.account and statements.record_id = profiles.record_id
