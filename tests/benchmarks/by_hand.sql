-- The same joins as the build, once, with nothing kept for anybody: no typing errors, reasons, evidence or history.
create temp table records as
select 'k' || record_id as record, lower(payload ->> '$.attributes.email') as email,
    payload ->> '$.attributes.phone_number' as phone,
    (payload ->> '$.attributes.subscriptions.email.marketing.consent') = 'UNSUBSCRIBED' as email_out,
    (payload ->> '$.attributes.subscriptions.email.marketing.consent') = 'SUBSCRIBED' as email_in,
    (payload ->> '$.attributes.subscriptions.sms.marketing.consent') = 'SUBSCRIBED' as sms_in
from raw_klaviyo.profiles
qualify row_number() over (partition by record_id order by updated_at desc) = 1
union all
select 's' || record_id, lower(payload ->> '$.email'), payload ->> '$.phone',
    (payload ->> '$.email_marketing_consent.state') = 'unsubscribed',
    (payload ->> '$.email_marketing_consent.state') = 'subscribed',
    (payload ->> '$.sms_marketing_consent.state') = 'subscribed'
from raw_shopify.customers
qualify row_number() over (partition by record_id order by updated_at desc) = 1;

create temp table people as
select record, email, phone, email_out, email_in, sms_in,
    min(by_email) over (partition by phone) as person
from (select *, min(record) over (partition by email) as by_email from records);

create temp table events as
select people.person, payload ->> '$.relationships.metric.data.id' as name,
    (payload ->> '$.attributes.datetime')::timestamptz as occurred_at, null::decimal(18, 2) as amount, false as vape
from raw_klaviyo.events
join people on people.record = 'k' || (payload ->> '$.relationships.profile.data.id')
union all
select people.person, 'order', (payload ->> '$.processed_at')::timestamptz,
    (payload ->> '$.total_price')::decimal(18, 2), (payload ->> '$.line_items[0].sku') like 'VAPE-%'
from raw_shopify.orders
join people on people.record = 's' || (payload ->> '$.customer.id')
where (payload ->> '$.financial_status') = 'paid'
union all
select people.person, 'message', strptime(payload ->> '$.date_sent', '%a, %d %b %Y %H:%M:%S %z'), null, false
from raw_twilio.messages
join (select min(person) as person, phone from people group by phone) as people on people.phone = (payload ->> '$.to');

create temp table consent as
select person, bool_or(email_in) and not bool_or(email_out) as email, bool_or(sms_in) as sms
from people group by person;

create temp table activity as
select person, name, vape, count(*) as times, sum(amount) as amount, min(occurred_at) as first_at,
    max(occurred_at) as last_at, count(*) filter (where occurred_at >= now() - interval 14 day) as times_14d,
    count(*) filter (where occurred_at >= now() - interval 30 day) as times_30d,
    sum(amount) filter (where occurred_at >= now() - interval 365 day) as amount_365d,
    min(occurred_at) filter (where occurred_at >= now() - interval 14 day) as first_14d
from events group by all;

create temp table audiences as
select 'recent' as audience, person from activity join consent using (person)
where name = 'order' and times_30d > 0 and email
union all
select 'lapsed', person from activity join consent using (person)
where name = 'order' and last_at < now() - interval 180 day and sms
union all
select 'high', person from activity join consent using (person) where name = 'order' and amount_365d >= 500 and email
union all
select 'vape', person from activity join consent using (person) where name = 'order' and vape and email
union all
select 'webinar', person from activity join consent using (person) where name = 'M2' and times_14d > 0 and email;

copy (select * from audiences join people using (person)) to '/dev/null' (format csv);
