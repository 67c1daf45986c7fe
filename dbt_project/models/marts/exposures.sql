{{ config(enabled=not var("cases", false)) }}

with clock as (
    select * from {{ ref('clock') }}
),

-- A stop by one kind of text ends the other kind too, and one of everything ends every channel.
covered as (
    select
        told.channel as told_channel,
        asked.channel
    from {{ ref('channel_kinds') }} as told
    inner join {{ ref('channel_kinds') }} as asked on told.stops_with = asked.stops_with
    union all
    select
        '*' as told_channel,
        channel
    from {{ ref('channel_kinds') }}
),

persons as (
    select * from {{ ref('persons') }}
),

records as (
    select * from {{ ref('destination_records') }}
),

-- What ends everything follows the person to every identifier, anything else is of the one named.
told as (
    select * from {{ ref('consent_events') }}
    where
        identifier is not null
        and origin_write_id is null
        and not coalesce(state = 'withdrawn' and scope = 'all_channels', false)
    union all by name
    select * from {{ ref('reached_statements') }}
    where state = 'withdrawn' and scope = 'all_channels' and channel = '*' and is_named
),

statements as (
    select told.*
    from told
    inner join clock on told.world = clock.world
    where
        told.topic = '*'
        and told.purpose in ('*', 'marketing')
        and told.recorded_at <= clock.known_at
),

stops as (
    select
        statements.* exclude (channel),
        covered.channel
    from statements
    inner join covered on statements.channel = covered.told_channel
    where statements.state = 'withdrawn'
),

-- What may end a withdrawal: the person's own express act, with evidence.
acts as (
    select * from statements
    where
        starts_with(state, 'granted')
        and basis = 'express'
        and actor = 'customer'
        and has_evidence
),

ended as (
    select
        stops.consent_event_id,
        stops.identifier,
        stops.channel,
        min(acts.effective_lo) as lifted_at
    from stops
    inner join acts
        on
            stops.identifier_type = acts.identifier_type
            and stops.identifier = acts.identifier
            and stops.channel = acts.channel
            and stops.effective_hi < acts.effective_lo
    group by stops.consent_event_id, stops.identifier, stops.channel
),

-- Platforms repeat a withdrawal to one another: until something ends it, it is one, told first by
-- whoever knows it earliest.
withdrawn as (
    select
        stops.world,
        stops.identifier_type,
        stops.identifier,
        stops.channel,
        coalesce(ended.lifted_at, 'infinity'::timestamptz) as lifted_at,
        arg_min(
            stops.consent_event_id, (stops.effective_hi, stops.consent_event_id)
        ) as consent_event_id,
        arg_min(
            coalesce(stops.effective_lo, stops.effective_hi),
            (stops.effective_hi, stops.consent_event_id)
        ) as withdrawn_at,
        min(stops.recorded_at) as received_at
    from stops
    left join ended
        on
            stops.consent_event_id = ended.consent_event_id
            and stops.identifier = ended.identifier
            and stops.channel = ended.channel
    group by all
),

-- When a platform knew: it took our withdrawal, or says so itself.
honours as (
    select
        platform,
        account,
        channel,
        identifier,
        accepted_at
    from {{ source('audiences', 'honours') }}
    where answer = 'withdrawal'
    union all
    select
        platform,
        account,
        channel,
        identifier,
        effective_hi as accepted_at
    from stops
),

messages as (
    select
        events.person_id,
        events.world,
        'message' as send_kind,
        events.event_id as send_id,
        events.platform,
        events.account,
        coalesce(
            events.properties ->> '$.channel',
            case when events.email is not null then 'email' else 'sms' end
        ) as channel,
        events.world || coalesce({{ told_email('events.email') }}, {{ told_phone('events.phone') }})
            as identifier,
        events.occurred_at as sent_at
    from {{ ref('customer_events') }} as events
    inner join clock on events.world = clock.world
    where
        events.event_name in ('message_sent', 'message_delivered')
        and events.person_id is not null
        and events.occurred_at <= clock.as_of
        and events.recorded_at <= clock.known_at
        and coalesce(events.properties ->> '$.purpose', '') <> 'transactional'
),

-- A member who was taken out because of a withdrawal had been kept in until then.
memberships as (
    select
        records.person_id,
        withdrawn.world,
        'membership' as send_kind,
        left_lists.answer_id as send_id,
        left_lists.platform,
        left_lists.account,
        left_lists.channel,
        withdrawn.identifier,
        withdrawn.withdrawn_at as sent_at,
        left_lists.accepted_at as honoured_at
    from {{ source('audiences', 'honours') }} as left_lists
    inner join records
        on
            left_lists.platform = records.platform
            and left_lists.account = records.account
            and left_lists.record_id = records.record_id
    inner join withdrawn
        on
            left_lists.channel = withdrawn.channel
            and withdrawn.identifier = case withdrawn.identifier_type
                when 'email' then records.email else records.phone
            end
    where
        left_lists.answer = 'removal'
        and left_lists.accepted_at > withdrawn.withdrawn_at
        and left_lists.accepted_at < withdrawn.lifted_at
),

sent as (
    select
        messages.*,
        min(honours.accepted_at) as honoured_at
    from messages
    inner join withdrawn
        on
            messages.world = withdrawn.world
            and messages.channel = withdrawn.channel
            and messages.identifier = withdrawn.identifier
            and messages.sent_at > withdrawn.withdrawn_at
            and messages.sent_at < withdrawn.lifted_at
    left join honours
        on
            messages.platform = honours.platform
            and messages.account = honours.account
            and messages.channel = honours.channel
            and messages.identifier = honours.identifier
            and withdrawn.withdrawn_at <= honours.accepted_at
    group by all
    union all by name
    select * from memberships
),

exposed as (
    select
        sent.*,
        withdrawn.consent_event_id,
        withdrawn.withdrawn_at,
        withdrawn.received_at,
        persons.country,
        persons.country || '-' || persons.region as place
    from sent
    inner join withdrawn
        on
            sent.world = withdrawn.world
            and sent.channel = withdrawn.channel
            and sent.identifier = withdrawn.identifier
            and sent.sent_at >= withdrawn.withdrawn_at
            and sent.sent_at < withdrawn.lifted_at
    inner join persons on sent.person_id = persons.person_id
),

holidays as (
    select * from {{ ref('public_holidays') }}
    where country = 'US'
),

-- Days from the first receipt on, with the business days counted.
days as (
    select
        moments.day,
        isodow(moments.day) < 6 and holidays.day is null as is_business,
        sum((isodow(moments.day) < 6 and holidays.day is null)::integer) over (
            order by moments.day
        ) as counted
    from (
        select unnest(generate_series(
            (select min(received_at)::date from exposed),
            (select max(received_at)::date + 60 from exposed),
            interval 1 day
        ))::date as day
    ) as moments
    left join holidays on moments.day = holidays.day
),

-- Every clock of the channel that binds where the person lives; at once means within the time
-- that we set ourselves to confirm it.
deadlines as (
    select
        exposed.send_id,
        exposed.consent_event_id,
        clocks.clock,
        clocks.jurisdiction,
        case clocks.legal_unit
            when 'business_days' then due.day::timestamptz + to_days(1)
            else exposed.received_at + greatest(
                to_hours(clocks.legal_limit::integer), to_seconds(clocks.confirmed_seconds)
            )
        end as honour_by
    from exposed
    inner join {{ ref('honour_clocks') }} as clocks
        on
            exposed.channel = clocks.channel
            and clocks.legal_unit in ('hours', 'business_days')
            and {{ in_force('clocks', 'exposed.received_at') }}
    left join days as begun on exposed.received_at::date = begun.day
    left join days as due
        on
            due.is_business
            and begun.counted + clocks.legal_limit = due.counted
    where
        clocks.jurisdiction in ('*', exposed.country, exposed.place)
        or (clocks.jurisdiction = 'EU' and exposed.country in {{ european_union() }})
),

tightest as (
    select
        send_id,
        consent_event_id,
        arg_min(clock, (honour_by, clock)) as honour_clock,
        arg_min(jurisdiction, (honour_by, clock)) as jurisdiction,
        min(honour_by) as honour_by
    from deadlines
    group by send_id, consent_event_id
)

select
    exposed.person_id,
    exposed.channel,
    exposed.consent_event_id,
    exposed.send_kind,
    exposed.send_id,
    exposed.platform,
    exposed.account,
    exposed.withdrawn_at,
    exposed.received_at,
    exposed.sent_at,
    exposed.honoured_at,
    coalesce(exposed.sent_at >= exposed.honoured_at, false) as is_after_honouring,
    -- One text that confirms a stop may follow it.
    exposed.send_kind = 'message'
    and exposed.channel in ('sms', 'mms')
    and exposed.sent_at <= exposed.withdrawn_at + to_minutes(5) as may_be_confirmation,
    tightest.honour_clock,
    tightest.jurisdiction,
    tightest.honour_by,
    coalesce(exposed.honoured_at, clock.as_of) <= tightest.honour_by
    and exposed.sent_at <= tightest.honour_by as is_clock_kept
from exposed
inner join clock on exposed.world = clock.world
left join tightest
    on
        exposed.send_id = tightest.send_id
        and exposed.consent_event_id = tightest.consent_event_id
