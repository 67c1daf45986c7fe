with questions as (
    select * from {{ ref('questions') }}
),

kinds as (
    select * from {{ ref('channel_kinds') }}
),

-- Scopes and statements are weighed as numbers: groups of texts would have to fit in memory.
scopes as (
    select
        *,
        row_number() over (order by world, channel, purpose, topic, sender) as scope_number
    from {{ ref('consent_scopes') }}
),

resolved as (
    select * from {{ ref('reached_statements') }}
),

-- Our own write of a block by hand is no statement: the block itself speaks as long as it stands.
statements as (
    select * from {{ ref('consent_events') }}
    where origin_write_id is null
),

-- What a platform does not show any more is what it showed last; without that somebody has to say.
known_before as (
    select hidden.consent_event_id
    from statements as hidden
    inner join statements as shown
        on
            hidden.platform = shown.platform
            and hidden.account = shown.account
            and hidden.identifier = shown.identifier
            and hidden.effective_hi >= shown.effective_hi
    where
        hidden.state = 'last_known'
        and shown.state not in ('last_known', 'unknown')
    group by hidden.consent_event_id
),

heard as (
    select
        scopes.scope_number,
        resolved.identifier_type,
        resolved.identifier,
        {{ in_order('resolved.effective_lo', 'resolved.consent_event_id') }} as from_place,
        {{ in_order('resolved.effective_hi', 'resolved.consent_event_id') }} as until_place,
        case
            -- Interest and contracts are no consent to marketing.
            when
                starts_with(resolved.state, 'granted')
                and resolved.basis in ('legitimate_interest', 'contract')
                then 'unknown'
            when starts_with(resolved.state, 'granted')
                then case
                    when resolved.purpose in ('*', scopes.purpose) then 'granted' else 'elsewhere'
                end
            when resolved.state = 'last_known'
                then case when known_before.consent_event_id is null then 'hold' end
            else resolved.state
        end as state,
        -- Implied consent and soft opt-ins have rules of their own (see implied_grants).
        coalesce(resolved.category, 'none') = 'none' and coalesce(
            resolved.basis not in ('implied_purchase', 'implied_inquiry', 'soft_opt_in'), true
        ) as is_general,
        -- What may lift a withdrawal: the person's own express act, with evidence.
        coalesce(
            resolved.basis = 'express' and resolved.actor = 'customer' and resolved.has_evidence,
            false
        ) as is_act,
        -- Nobody but the person consents expressly.
        coalesce(
            resolved.basis = 'express'
            and coalesce(resolved.actor, 'unknown') in ('customer', 'unknown'),
            false
        ) as is_express,
        resolved.is_named,
        (stale.stale_since is null) as is_fresh,
        stale.stale_at,
        resolved.effective_lo,
        resolved.effective_hi,
        resolved.expires_at
    from resolved
    inner join scopes
        on
            resolved.world = scopes.world
            and resolved.recorded_at <= scopes.known_at
            -- What closes holds from its first moment, from its receipt at the latest; what grants,
            -- from its last.
            and case
                when resolved.state in ('withdrawn', 'last_known')
                    then least(
                        coalesce(resolved.effective_lo, '-infinity'::timestamptz),
                        resolved.recorded_at
                    )
                else resolved.effective_hi
            end <= scopes.as_of
    inner join kinds as asked on scopes.channel = asked.channel
    left join {{ ref('source_freshness') }} as stale
        on resolved.platform = stale.platform and resolved.account = stale.account
    left join kinds as told on resolved.channel = told.channel
    left join known_before on resolved.consent_event_id = known_before.consent_event_id
    where
        (
            resolved.channel in ('*', scopes.channel)
            -- A stop by one kind of text ends the other kind too; a grant is of the kind it names.
            or (resolved.state = 'withdrawn' and told.stops_with = asked.stops_with)
        )
        and (
            resolved.purpose in ('*', scopes.purpose)
            -- Who may be written to again after an erasure may be told about orders.
            or (scopes.purpose = 'transactional' and starts_with(resolved.state, 'granted'))
            or (
                scopes.channel = 'ads_audience'
                and resolved.purpose in ('profiling', 'sale_or_share')
            )
        )
        -- Where any sender may be meant, the strictest of them counts.
        and (
            resolved.sender in ('*', scopes.sender)
            or (scopes.sender = 'any' and resolved.state = 'withdrawn')
        )
        and (
            resolved.topic in ('*', scopes.topic)
            -- A list that no question asks about is read as the whole channel.
            or (
                resolved.state = 'withdrawn'
                and (scopes.topic <> '*' or resolved.topic = '?')
                and not exists (
                    from questions
                    where
                        questions.world = resolved.world
                        and questions.topic = resolved.topic
                )
            )
        )
),

weighed as (
    select
        scope_number,
        identifier_type,
        identifier,
        max(until_place) filter (where state = 'withdrawn') as withdrawn,
        max(from_place) filter (where state = 'granted' and is_general) as granted,
        max(until_place) filter (where state in ('pending', 'not_granted')) as asked,
        max(until_place) filter (where state = 'unknown') as shown,
        max(until_place) filter (where state = 'hold') as held,
        max(effective_hi) filter (where state = 'withdrawn') as withdrawn_at,
        coalesce(bool_or(state = 'withdrawn' and is_named), false) as is_named,
        coalesce(
            max(effective_lo) filter (where state = 'granted' and is_general and is_express),
            max(effective_lo) filter (where state = 'granted' and is_general)
        ) as granted_at,
        -- When it must have been granted at the latest.
        max(effective_hi) filter (where state = 'granted' and is_general) as granted_by,
        max(effective_lo) filter (where state = 'granted' and is_act) as acted_at,
        max(effective_lo) filter (where state in ('granted', 'elsewhere') and is_act) as given_at,
        max(effective_lo) filter (where state in ('granted', 'elsewhere')) as spoken_at,
        max(coalesce(expires_at, 'infinity'::timestamptz)) filter (
            where state = 'granted' and is_general
        ) as granted_until,
        bool_or(state = 'unknown') as is_default_seen,
        max(effective_hi) filter (where state = 'hold') as held_at,
        coalesce(bool_or(state = 'granted' and is_express), false) as is_express,
        coalesce(
            bool_or(is_fresh) filter (where state = 'granted' and is_express),
            bool_or(is_fresh) filter (where state = 'granted'),
            false
        ) as is_fresh,
        max(coalesce(stale_at, 'infinity'::timestamptz)) filter (
            where state = 'granted'
        ) as stale_at
    from heard
    group by scope_number, identifier_type, identifier
),

judged as (
    select
        weighed.*,
        scopes.* exclude (scope_number, as_of, known_at),
        case
            -- An act lifts a withdrawal only when it lies wholly after it; ties stay withdrawn.
            when
                weighed.withdrawn is not null
                and not coalesce(weighed.acted_at > weighed.withdrawn_at, false)
                then 'withdrawn'
            when
                weighed.held is not null
                and not coalesce(weighed.acted_at > weighed.held_at, false)
                then 'held_for_review'
            when weighed.granted_until > scopes.as_of then 'granted'
            when weighed.granted is not null then 'expired'
            when weighed.asked is not null then 'asked'
            when weighed.is_default_seen then 'unknown'
        end as finding,
        -- What there would be without what closes it.
        case
            when weighed.granted_until > scopes.as_of then 'granted'
            when weighed.granted is not null then 'expired'
            when weighed.asked is not null then 'asked'
            when weighed.is_default_seen then 'unknown'
        end as beneath,
        weighed.held is not null and coalesce(weighed.acted_at <= weighed.held_at, true) as is_held
    from weighed
    inner join scopes on weighed.scope_number = scopes.scope_number
),

proven as (
    select
        *,
        case
            when finding = 'withdrawn' then withdrawn
            when finding in ('granted', 'expired') then granted
            when finding = 'held_for_review' then held
            else coalesce(asked, shown)
        end as statement,
        coalesce(asked, shown) as asked_statement
    from judged
)

select
    statements.consent_event_id,
    proven.world,
    proven.identifier_type,
    proven.identifier,
    proven.channel,
    proven.purpose,
    proven.topic,
    proven.sender,
    -- A question that was asked says more than a default value, however new that is.
    case proven.finding
        when 'asked' then statements.state
        else coalesce(proven.finding, 'unknown')
    end as state,
    case proven.beneath when 'asked' then asked.state else proven.beneath end as state_beneath,
    proven.is_express,
    proven.is_fresh,
    case when proven.stale_at < 'infinity'::timestamptz then proven.stale_at end as stale_at,
    proven.granted_at,
    proven.granted_by,
    case when proven.granted_until < 'infinity'::timestamptz then proven.granted_until end
        as granted_until,
    proven.withdrawn_at,
    proven.is_named,
    proven.is_held,
    proven.acted_at,
    -- An act on this channel, whatever it was about, and any grant.
    proven.given_at,
    proven.spoken_at
from proven
left join statements on {{ hash_in('proven.statement') }} = hash(statements.consent_event_id)
left join statements as asked
    on {{ hash_in('proven.asked_statement') }} = hash(asked.consent_event_id)
-- Implied consent alone is no state of its own. A marketing grant is none where orders are asked
-- about, but it tells whose the identifier is.
where
    proven.finding is not null
    or (proven.purpose = 'transactional' and proven.spoken_at is not null)
