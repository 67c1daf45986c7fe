-- The same joins as the models of deciding, once: no typing errors, reasons, evidence, intervals or history.
create temp table versions as
select 'k' || record_id as record, updated_at, lower(payload ->> '$.attributes.email') as email,
    payload ->> '$.attributes.phone_number' as phone, payload ->> '$.attributes.location.country' as country,
    try_cast(payload ->> '$.attributes.properties.date_of_birth' as date) as born_on,
    payload ->> '$.attributes.subscriptions.email.marketing.consent' as email_state,
    (payload ->> '$.attributes.subscriptions.email.marketing.consent_timestamp')::timestamptz as email_at,
    payload ->> '$.attributes.subscriptions.sms.marketing.consent' as sms_state,
    (payload ->> '$.attributes.subscriptions.sms.marketing.consent_timestamp')::timestamptz as sms_at
from raw_klaviyo.profiles
union all
select 's' || record_id, updated_at, lower(payload ->> '$.email'), payload ->> '$.phone',
    payload ->> '$.default_address.country_code', null,
    upper(payload ->> '$.email_marketing_consent.state'),
    (payload ->> '$.email_marketing_consent.consent_updated_at')::timestamptz, null, null
from raw_shopify.customers;

create temp table records as
select record, email, phone, country from versions
qualify row_number() over (partition by record order by updated_at desc) = 1;

create temp table people as
select record, email, phone, country, min(by_email) over (partition by phone) as person
from (select *, min(record) over (partition by email) as by_email from records);

create temp table events as
select people.person, payload ->> '$.relationships.metric.data.id' as name,
    (payload ->> '$.attributes.datetime')::timestamptz as occurred_at, null as country
from raw_klaviyo.events
join people on people.record = 'k' || (payload ->> '$.relationships.profile.data.id')
union all
select people.person, 'order', (payload ->> '$.processed_at')::timestamptz, payload ->> '$.shipping_address.country_code'
from raw_shopify.orders
join people on people.record = 's' || (payload ->> '$.customer.id')
union all
select people.person, 'message', strptime(payload ->> '$.date_sent', '%a, %d %b %Y %H:%M:%S %z'), null
from raw_twilio.messages
join (select min(person) as person, phone from people group by phone) as people on people.phone = (payload ->> '$.to');

create temp table places as
select person, arg_max(country, occurred_at) as country, max(occurred_at) filter (where name = 'order') as anchored_at
from (
    select person, name, occurred_at, country from events where name = 'order'
    union all
    select person, 'record', null, country from people
) group by person;

create temp table consent as
select identifier, channel, max(told_at) filter (where state = 'UNSUBSCRIBED') as withdrawn_at,
    max(told_at) filter (where state = 'SUBSCRIBED') as granted_at
from (
    select email as identifier, 'email' as channel, email_state as state, email_at as told_at from versions
    union all
    select phone, 'sms', sms_state, sms_at from versions
) where identifier is not null group by all;

create temp table ages as
select person, max(born_on) as born_on from versions join people using (record) where born_on is not null group by person;

create table by_hand as
select keys.person, keys.identifier, questions.question,
    coalesce(consent.granted_at > coalesce(consent.withdrawn_at, '-infinity'::timestamptz), false)
    and (
        not questions.aged
        or coalesce(ages.born_on + interval 21 year <= current_date and places.anchored_at > now() - interval 24 month, false)
    )
    and places.country is not null as eligible
from (
    select distinct person, email as identifier, 'email' as channel from people
    union all
    select distinct person, phone, 'sms' from people
) as keys
join (values ('email', 'email', false), ('sms', 'sms', false), ('vape', 'email', true)) as questions (question, channel, aged)
    on keys.channel = questions.channel
join places using (person)
left join ages using (person)
left join consent on keys.identifier = consent.identifier and keys.channel = consent.channel
where keys.identifier is not null;

drop table by_hand;
