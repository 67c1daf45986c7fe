with clock as (
    select * from {{ ref('clock') }}
),

bases as (
    select * from {{ ref('statement_bases') }}
    where grants
),

places as (
    select
        *,
        count(*) over (partition by readers_id) as place_count
    from {{ ref('readers_places') }}
),

keys as (
    select
        keys.*,
        decided.readers_id
    from {{ ref('person_keys') }} as keys
    inner join {{ ref('decided_identifiers') }} as decided
        on
            keys.person_id = decided.person_id
            and keys.identifier_type = decided.identifier_type
            and keys.identifier = decided.identifier
    -- An address that everybody has says nothing of anybody.
    where keys.is_shared is not true
),

goods as (
    select distinct
        world,
        product_category
    from {{ ref('questions') }}
),

-- A ground must be good wherever any user of the identifier may live.
lawful as (
    select
        places.readers_id,
        bases.basis,
        bases.channel,
        min(bases.period) as months
    from places
    inner join clock on places.world = clock.world
    inner join bases
        on places.country = bases.country and {{ in_force('bases', 'clock.as_of') }}
    group by places.readers_id, bases.basis, bases.channel
    having count(*) = any_value(places.place_count)
),

-- Only where the law implies consent from something is it worth a look what people did.
acts as (
    select
        case events.event_name
            when 'order_placed' then 'implied_purchase'
            else 'implied_inquiry'
        end as basis,
        events.person_id,
        events.world,
        events.event_id,
        events.platform,
        events.account,
        events.platform || ':' || events.account || ':' || events.record_id as record_key,
        {{ told_email('events.email') }} as told,
        events.occurred_at
    from {{ ref('customer_events') }} as events
    inner join clock on events.world = clock.world
    where
        events.event_name in ('order_placed', 'inquiry')
        and events.person_id in (
            select keys.person_id from keys
            semi join lawful on keys.readers_id = lawful.readers_id
        )
        and events.occurred_at <= clock.as_of
        and events.recorded_at <= clock.known_at
),

addresses as (
    select
        told,
        target_key
    from {{ ref('identifier_keys') }}
    where identifier_type = 'email' and target_key is not null
),

-- An act that names no address speaks for that of its record, where it never showed another.
record_addresses as (
    select
        record_key,
        min(target_key) as identifier
    from {{ ref('identity_keys') }}
    where key_type = 'email'
    group by record_key
    having min(target_key) = max(target_key) and count(target_key) = count(*)
),

-- What people did under one address, and what platforms call a soft opt-in.
grounds as (
    select
        acts.basis,
        acts.person_id,
        case
            when acts.told is null then records.identifier
            else acts.world || addresses.target_key
        end as identifier,
        '*' as category,
        acts.event_id as ground_id,
        acts.platform,
        acts.account,
        acts.occurred_at as given_at
    from acts
    left join addresses on acts.told = addresses.told
    left join record_addresses as records on acts.record_key = records.record_key
    union all
    select
        statements.basis,
        keys.person_id,
        statements.identifier,
        coalesce(statements.category, '*') as category,
        statements.consent_event_id as ground_id,
        statements.platform,
        statements.account,
        statements.effective_lo as given_at
    from {{ ref('consent_events') }} as statements
    anti join {{ ref('copied_grants') }} as copies
        on statements.consent_event_id = copies.consent_event_id
    inner join clock on statements.world = clock.world
    inner join keys
        on
            statements.identifier_type = keys.identifier_type
            and statements.identifier = keys.identifier
    where
        statements.basis in ('implied_purchase', 'implied_inquiry', 'soft_opt_in')
        and starts_with(statements.state, 'granted')
        and statements.effective_lo <= clock.as_of
        and statements.recorded_at <= clock.known_at
),

granted as (
    select
        grounds.person_id,
        keys.world,
        keys.identifier_type,
        keys.identifier,
        lawful.channel,
        goods.product_category,
        grounds.ground_id,
        grounds.given_at,
        coalesce(
            grounds.given_at + to_months(lawful.months), 'infinity'::timestamptz
        ) as granted_until,
        clock.as_of,
        stale.stale_since is null as is_fresh,
        stale.stale_at
    from grounds
    inner join keys
        on grounds.person_id = keys.person_id and grounds.identifier = keys.identifier
    inner join lawful
        on
            keys.readers_id = lawful.readers_id
            and grounds.basis = lawful.basis
            and keys.identifier_type
            = case lawful.channel when 'email' then 'email' else 'phone' end
    inner join clock on keys.world = clock.world
    left join {{ ref('source_freshness') }} as stale
        on grounds.platform = stale.platform and grounds.account = stale.account
    -- A soft opt-in is good for the goods that it came with.
    inner join goods
        on keys.world = goods.world and grounds.category in ('*', goods.product_category)
)

-- One that lasts and whose source answers, if there is any; of those the newest, since who was of
-- age before is so later.
select
    person_id,
    world,
    identifier_type,
    identifier,
    channel,
    product_category,
    ground_id,
    given_at,
    granted_until,
    is_fresh,
    stale_at
from granted
qualify row_number() over (
    partition by person_id, identifier_type, identifier, channel, product_category
    order by granted_until > as_of desc, is_fresh desc, given_at desc, granted_until desc, ground_id
) = 1
