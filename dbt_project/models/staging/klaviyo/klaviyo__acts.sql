with pulled as (
    select
        events.account,
        events.record_id as act_id,
        events.profile_id as record_id,
        null as email,
        null as phone,
        metrics.name as raw_name,
        events.properties,
        events.amount,
        events.occurred_at,
        events.first_seen_at
    from {{ ref('stg_klaviyo__events') }} as events
    left join {{ ref('stg_klaviyo__metrics') }} as metrics
        on
            events.account = metrics.account
            and events.metric_id = metrics.record_id
            and metrics.fits
    where events.fits
    qualify row_number() over (
        partition by events.account, events.record_id
        order by events.first_seen_at, metrics.first_seen_at desc, events.payload_hash
    ) = 1
),

delivered as (
    select
        account,
        event_id as act_id,
        profile_id as record_id,
        email,
        phone,
        item_topic as raw_name,
        properties,
        null as amount,
        coalesce(occurred_at, occurred_epoch) as occurred_at,
        first_seen_at
    from {{ ref('stg_klaviyo__webhooks') }}
    where fits
),

acts as (
    select
        1 as preference,
        *
    from pulled
    union all by name
    select
        2 as preference,
        *
    from delivered
),

-- The pull and the webhook show the same act under the same id.
distinct_acts as (
    select
        account,
        act_id,
        coalesce(max(record_id), '') as record_id,
        max(email) as email,
        max(phone) as phone,
        arg_min(raw_name, preference) as raw_name,
        arg_min(properties, preference) as properties,
        max(amount) as amount,
        arg_min(occurred_at, preference) as occurred_at,
        min(first_seen_at) as first_seen_at
    from acts
    group by account, act_id
),

profiles as (
    select
        account,
        record_id,
        email,
        phone
    from {{ ref('stg_klaviyo__profiles') }}
    where fits
    qualify row_number() over (
        partition by account, record_id order by updated_at desc, first_seen_at desc, payload_hash
    ) = 1
)

select
    acts.account,
    acts.act_id,
    nullif(acts.record_id, '') as record_id,
    coalesce({{ email_key('acts.email') }}, {{ email_key('profiles.email') }}) as email,
    coalesce({{ phone_key('acts.phone') }}, {{ phone_key('profiles.phone') }}) as phone,
    acts.raw_name,
    coalesce(names.event_name, 'other') as event_name,
    names.channel,
    names.state,
    case
        when
            names.suppression_kind = 'hard_bounce'
            and lower(coalesce(
                (acts.properties ->> '$."Bounce Type"'), (acts.properties ->> '$.bounce_type')
            )) = 'soft'
            then null
        else names.suppression_kind
    end as suppression_kind,
    names.method,
    acts.properties,
    acts.amount,
    acts.occurred_at,
    acts.first_seen_at
from distinct_acts as acts
left join profiles
    on acts.account = profiles.account and acts.record_id = profiles.record_id
left join {{ ref('event_names') }} as names
    on names.platform = 'klaviyo' and acts.raw_name = names.raw_name
