with questions as (
    select * from {{ ref('questions') }}
),

-- Beside the questions asked, every channel as a whole: what `withdrawals` pushes.
scopes as (
    select distinct
        world,
        channel,
        purpose,
        topic,
        sender,
        as_of,
        known_at
    from questions
    union
    select
        clock.world,
        channels.channel,
        'marketing' as purpose,
        '*' as topic,
        'any' as sender,
        clock.as_of,
        clock.known_at
    from {{ ref('channels') }} as channels
    cross join {{ ref('clock') }} as clock
),

-- Our own write of a block by hand is no statement: the block itself speaks as long as it stands.
statements as (
    select * from {{ ref('consent_events') }}
    where origin_write_id is null
),

-- A withdrawal that names a record only binds every identifier of that record's person.
resolved as (
    select * from statements
    where identifier is not null
    union all by name
    select
        statements.* exclude (identifier),
        keys.identifier
    from statements
    inner join {{ ref('person_records') }} as records
        on
            statements.platform = records.platform
            and statements.account = records.account
            and statements.record_id = records.record_id
    inner join {{ ref('person_keys') }} as keys
        on
            records.person_id = keys.person_id
            and statements.identifier_type = keys.identifier_type
    where statements.identifier is null and statements.state = 'withdrawn'
),

heard as (
    select
        resolved.consent_event_id,
        resolved.identifier_type,
        resolved.identifier,
        scopes.world,
        scopes.channel,
        scopes.purpose,
        scopes.topic,
        scopes.sender,
        case
            when resolved.state in ('withdrawn', 'erased') then 'withdrawn'
            when starts_with(resolved.state, 'granted') then 'granted'
            else resolved.state
        end as state,
        resolved.effective_lo,
        resolved.effective_hi
    from resolved
    inner join scopes
        on
            resolved.world = scopes.world
            and resolved.channel = scopes.channel
            and resolved.recorded_at <= scopes.known_at
            and coalesce(resolved.effective_lo, resolved.effective_hi) <= scopes.as_of
    where
        resolved.purpose in ('*', scopes.purpose)
        and (resolved.sender in ('*', scopes.sender) or scopes.sender = 'any')
        and (
            resolved.topic in ('*', scopes.topic)
            -- A list that no question asks about is read as the whole channel.
            or (
                resolved.state = 'withdrawn'
                and scopes.topic <> '*'
                and not exists (
                    from questions
                    where
                        questions.world = resolved.world
                        and questions.topic = resolved.topic
                )
            )
        )
        and (resolved.expires_at is null or resolved.expires_at > scopes.as_of)
),

weighed as (
    select
        world,
        channel,
        purpose,
        topic,
        sender,
        identifier_type,
        identifier,
        arg_max(consent_event_id, (effective_hi, consent_event_id)) filter (
            where state = 'withdrawn'
        ) as withdrawn_id,
        arg_max(
            consent_event_id, (coalesce(effective_lo, '-infinity'::timestamptz), consent_event_id)
        ) filter (where state = 'granted') as granted_id,
        -- A question that was asked says more than a default value, however new that is.
        arg_max(
            consent_event_id, (state <> 'unknown', effective_hi, consent_event_id)
        ) filter (where state not in ('granted', 'withdrawn')) as other_id,
        arg_max(state, (effective_hi, consent_event_id)) filter (
            where state in ('pending', 'not_granted')
        ) as asked_state,
        max(effective_hi) filter (where state = 'withdrawn') as withdrawn_at,
        max(effective_lo) filter (where state = 'granted') as granted_at
    from heard
    group by all
),

judged as (
    select
        *,
        case
            -- A grant lifts a withdrawal only when it lies wholly after it; ties stay withdrawn.
            when withdrawn_id is not null and not coalesce(granted_at > withdrawn_at, false)
                then 'withdrawn'
            when granted_id is not null then 'granted'
            else coalesce(asked_state, 'unknown')
        end as state
    from weighed
)

select
    case state
        when 'withdrawn' then withdrawn_id
        when 'granted' then granted_id
        else other_id
    end as consent_event_id,
    world,
    identifier_type,
    identifier,
    channel,
    purpose,
    topic,
    sender,
    state,
    granted_at,
    withdrawn_at
from judged
