with contacts as (
    {%- if var('cases', false) %}
    select
        world,
        platform,
        account,
        object,
        max(valid_hi) as contacted_at,
        arg_max(schedule_seconds, valid_hi) as schedule_seconds
    from {{ source('cases', 'contacts') }}
    group by world, platform, account, object
    {%- else %}
    select
        '' as world,
        platform,
        account,
        object,
        max(contacted_at) as contacted_at,
        arg_max(schedule_seconds, contacted_at) as schedule_seconds
    from {{ source('audiences', 'contacts') }}
    group by platform, account, object
    {%- endif %}
),

clock as (
    select * from {{ ref('clock') }}
),

due as (
    select
        contacts.platform,
        contacts.account,
        clock.as_of,
        contacts.contacted_at
        + to_seconds({{ policy('stale_after_schedules') }}::integer * contacts.schedule_seconds)
            as stale_at
    from contacts
    inner join clock on contacts.world = clock.world
)

select
    platform,
    account,
    min(stale_at) filter (where stale_at <= as_of) as stale_since,
    min(stale_at) filter (where stale_at > as_of) as stale_at
from due
group by platform, account
