with channels as (
    select * from {{ ref('channels') }}
),

records as (
    select * from {{ ref('customer_records_latest') }}
    where deleted_at is null
),

held as (
    select
        platform,
        account,
        'email' as identifier_type,
        email_key as identifier
    from records
    where email_key is not null
    union
    select
        platform,
        account,
        'phone' as identifier_type,
        phone_key as identifier
    from records
    where phone_key is not null
),

-- A value that only repeats the platform's default says nothing.
stated as (
    select distinct
        platform,
        account,
        channel,
        identifier
    from {{ ref('consent_events') }}
    where
        identifier is not null
        and state <> 'unknown'
        and recorded_at <= (select known_at from {{ ref('clock') }})
),

consent as (
    select * from {{ ref('consent_state') }}
    where purpose = 'marketing' and topic = '*' and sender = 'any'
)

select
    held.platform,
    held.account,
    channels.channel,
    count(*) as identifiers,
    count(stated.identifier) as stated_here,
    count(*) filter (where consent.state = 'granted') as granted,
    count(*) filter (where consent.state = 'withdrawn') as withdrawn,
    count(*) filter (where consent.state in ('pending', 'not_granted')) as asked_only,
    count(*) filter (where coalesce(consent.state, 'unknown') = 'unknown') as nothing_known
from held
inner join channels on held.identifier_type = channels.identifier_type
left join stated
    on
        held.platform = stated.platform
        and held.account = stated.account
        and held.identifier = stated.identifier
        and channels.channel = stated.channel
left join consent
    on
        held.identifier_type = consent.identifier_type
        and held.identifier = consent.identifier
        and channels.channel = consent.channel
group by held.platform, held.account, channels.channel
