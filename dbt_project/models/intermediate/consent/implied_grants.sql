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
        count(*) over (partition by person_id) as place_count
    from {{ ref('person_places') }}
),

keys as (
    select * from {{ ref('person_keys') }}
    -- An address that everybody has says nothing of anybody.
    where is_shared is not true
),

goods as (
    select distinct
        world,
        product_category
    from {{ ref('questions') }}
),

-- What people did, and what platforms call a soft opt-in.
grounds as (
    select
        case events.event_name
            when 'order_placed' then 'implied_purchase'
            else 'implied_inquiry'
        end as basis,
        events.person_id,
        null::varchar as identifier,
        '*' as category,
        events.event_id as ground_id,
        events.platform,
        events.account,
        events.occurred_at as given_at
    from {{ ref('customer_events') }} as events
    inner join clock on events.world = clock.world
    where
        events.event_name in ('order_placed', 'inquiry')
        and events.person_id is not null
        and events.occurred_at <= clock.as_of
        and events.recorded_at <= clock.known_at
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

-- A ground must be good wherever the person may live.
lawful as (
    select
        places.person_id,
        bases.basis,
        bases.channel,
        min(bases.period) as months
    from places
    inner join bases on places.country = bases.country
    group by places.person_id, bases.basis, bases.channel
    having count(*) = any_value(places.place_count)
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
    inner join lawful
        on grounds.person_id = lawful.person_id and grounds.basis = lawful.basis
    inner join keys
        on
            grounds.person_id = keys.person_id
            and keys.identifier_type
            = case lawful.channel when 'email' then 'email' else 'phone' end
            and coalesce(grounds.identifier = keys.identifier, true)
    -- A soft opt-in is good for the goods that it came with.
    inner join clock on keys.world = clock.world
    left join {{ ref('source_freshness') }} as stale
        on grounds.platform = stale.platform and grounds.account = stale.account
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
