with events as (
    {{ union_platforms('customer_events') }}
),

accounts as (
    select * from {{ source('audiences', 'accounts') }}
),

records as (
    select * from {{ ref('person_records') }}
),

emails as (
    select * from {{ ref('person_keys') }}
    where identifier_type = 'email'
),

phones as (
    select * from {{ ref('person_keys') }}
    where identifier_type = 'phone'
),

externals as (
    select * from {{ ref('person_keys') }}
    where identifier_type = 'external'
),

-- An act belongs to the person of its record; one without a known record, to that of an id that
-- another system gave, else to that of its address.
recorded as (
    select
        events.*,
        records.person_id as recorded_person_id,
        case when records.person_id is null then {{ email_key('events.email') }} end as email_key,
        case when records.person_id is null then {{ phone_key('events.phone') }} end as phone_key
    from events
    left join records
        on
            events.platform = records.platform
            and events.account = records.account
            and events.record_id = records.record_id
)

select
    recorded.event_id,
    coalesce(
        recorded.recorded_person_id, externals.person_id, emails.person_id, phones.person_id
    ) as person_id,
    recorded.platform,
    recorded.account,
    recorded.record_id,
    recorded.object_id,
    accounts.brand,
    recorded.email,
    recorded.phone,
    recorded.external_key,
    recorded.event_name,
    recorded.raw_name,
    recorded.country,
    recorded.region,
    coalesce(recorded.product_categories[1], 'none') as product_category,
    recorded.product_categories,
    recorded.currency,
    recorded.properties,
    recorded.amount,
    recorded.counted,
    recorded.occurred_at,
    recorded.recorded_at
from recorded
left join accounts
    on recorded.platform = accounts.platform and recorded.account = accounts.account
left join externals on recorded.external_key = externals.identifier
left join emails on recorded.email_key = emails.identifier
left join phones on recorded.phone_key = phones.identifier
