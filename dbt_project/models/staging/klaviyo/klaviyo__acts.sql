{{ incremental_by(['account', 'act_id']) }}

with events as (
    select * from {{ ref('stg_klaviyo__events') }}
    where fits
),

deliveries as (
    select * from {{ ref('stg_klaviyo__webhooks') }}
    where fits
),

metrics as (
    select * from {{ ref('stg_klaviyo__metrics') }}
    where fits
    qualify row_number() over (
        partition by account, record_id order by first_seen_at desc, payload_hash
    ) = 1
),

{%- if is_incremental() %}

news as (
    select
        account,
        record_id as act_id
    from events
    where written_in > {{ last_written() }}
    union
    select
        account,
        event_id as act_id
    from deliveries
    where written_in > {{ last_written() }}
    union
    -- A metric that became known, or got another name, names its events anew.
    select
        events.account,
        events.record_id as act_id
    from events
    inner join metrics
        on events.account = metrics.account and events.metric_id = metrics.record_id
    where metrics.written_in > {{ last_written() }}
),
{%- endif %}

pulled as (
    select events.*
    from events
    {%- if is_incremental() %}
    where
        exists (
            from news
            where
                events.account = news.account
                and events.record_id = news.act_id
        )
    {%- endif %}
    qualify row_number() over (
        partition by events.account, events.record_id
        order by events.first_seen_at, events.payload_hash
    ) = 1
),

delivered as (
    select
        deliveries.account,
        deliveries.event_id,
        max(deliveries.profile_id) as profile_id,
        max(deliveries.email) as email,
        max(deliveries.phone) as phone,
        arg_min(deliveries.item_topic, deliveries.first_seen_at) as item_topic,
        arg_min(deliveries.properties, deliveries.first_seen_at) as properties,
        min(coalesce(deliveries.occurred_at, deliveries.occurred_epoch)) as occurred_at,
        min(deliveries.first_seen_at) as first_seen_at
    from deliveries
    {%- if is_incremental() %}
    where
        exists (
            from news
            where
                deliveries.account = news.account
                and deliveries.event_id = news.act_id
        )
    {%- endif %}
    group by deliveries.account, deliveries.event_id
)

-- The pull and the webhook show the same act under the same id.
select
    coalesce(pulled.account, delivered.account) as account,
    coalesce(pulled.record_id, delivered.event_id) as act_id,
    coalesce(pulled.profile_id, delivered.profile_id) as record_id,
    delivered.email,
    delivered.phone,
    coalesce(metrics.name, delivered.item_topic) as raw_name,
    coalesce(pulled.properties, delivered.properties) as properties,
    pulled.amount,
    coalesce(pulled.occurred_at, delivered.occurred_at) as occurred_at,
    least(pulled.first_seen_at, delivered.first_seen_at) as first_seen_at,
    {{ this_run() }} as written_in
from pulled
full join delivered
    on pulled.account = delivered.account and pulled.record_id = delivered.event_id
left join metrics
    on pulled.account = metrics.account and pulled.metric_id = metrics.record_id
