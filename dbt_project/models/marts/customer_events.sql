with events as (
    {{ union_platforms('customer_events') }}
),

accounts as (
    select * from {{ source('audiences', 'accounts') }}
),

records as (
    select * from {{ ref('person_records') }}
),

keys as (
    select * from {{ ref('person_keys') }}
),

keyed as (
    select
        *,
        {{ email_key('email') }} as email_key,
        {{ phone_key('phone') }} as phone_key
    from events
)

select
    events.event_id,
    coalesce(records.person_id, by_email.person_id, by_phone.person_id) as person_id,
    events.platform,
    events.account,
    events.record_id,
    events.object_id,
    accounts.brand,
    events.email,
    events.phone,
    events.event_name,
    events.raw_name,
    events.country,
    events.region,
    coalesce(events.product_categories[1], 'none') as product_category,
    events.product_categories,
    events.currency,
    events.properties,
    events.amount,
    events.counted,
    events.occurred_at,
    events.recorded_at
from keyed as events
left join accounts
    on events.platform = accounts.platform and events.account = accounts.account
left join records
    on
        events.platform = records.platform
        and events.account = records.account
        and events.record_id = records.record_id
left join keys as by_email
    on
        records.person_id is null
        and by_email.identifier_type = 'email'
        and events.email_key = by_email.identifier
left join keys as by_phone
    on
        records.person_id is null
        and by_email.person_id is null
        and by_phone.identifier_type = 'phone'
        and events.phone_key = by_phone.identifier
