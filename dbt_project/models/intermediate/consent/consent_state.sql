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
        coalesce(resolved.expires_at, 'infinity'::timestamptz) as ends_at,
        coalesce(resolved.expires_at > scopes.as_of, true) as is_live
    from resolved
    inner join scopes
        on
            resolved.world = scopes.world
            and resolved.recorded_at <= scopes.known_at
            -- What closes holds from its first moment, from its receipt at the latest; what grants,
            -- from its last.
            and case
                when resolved.state in ('withdrawn', 'hold', 'last_known')
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
            or (scopes.sender = 'any' and resolved.state in ('withdrawn', 'hold', 'last_known'))
        )
        and (
            resolved.topic in ('*', scopes.topic)
            -- A list that no question asks about is read as the whole channel.
            or (
                resolved.state in ('withdrawn', 'hold', 'last_known')
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

told as (
    select
        *,
        state = 'granted' and is_general and is_live as is_grant
    from heard
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
        max(effective_lo) filter (where state = 'granted' and is_act) as acted_at,
        max(effective_lo) filter (where state in ('granted', 'elsewhere') and is_act) as given_at,
        max(effective_lo) filter (where state in ('granted', 'elsewhere')) as spoken_at,
        bool_or(state = 'unknown') as is_default_seen,
        max(effective_hi) filter (where state = 'hold') as held_at,
        coalesce(bool_or(state = 'granted' and is_express), false) as is_express,
        max(ends_at) filter (where state = 'granted' and is_general) as granted_until,
        max(coalesce(stale_at, 'infinity'::timestamptz)) filter (
            where state = 'granted'
        ) as stale_at,
        min(least(ends_at, stale_at)) filter (where is_grant) as lapses_at,
        -- What counts: any grants, express ones, and acts that lift what was closed. Each from
        -- when on for certain and by when at the latest, and the same where its source answers.
        max(effective_lo) filter (where is_grant) as any_at,
        max(effective_hi) filter (where is_grant) as any_by,
        max(effective_lo) filter (where is_grant and is_express) as express_at,
        max(effective_hi) filter (where is_grant and is_express) as express_by,
        max(effective_lo) filter (where is_grant and is_act) as act_at,
        arg_max(effective_hi, effective_lo) filter (where is_grant and is_act) as act_by,
        max(effective_lo) filter (where is_grant and is_fresh) as fresh_any_at,
        max(effective_hi) filter (where is_grant and is_fresh) as fresh_any_by,
        max(effective_lo) filter (where is_grant and is_express and is_fresh) as fresh_express_at,
        max(effective_hi) filter (where is_grant and is_express and is_fresh) as fresh_express_by,
        max(effective_lo) filter (where is_grant and is_act and is_fresh) as fresh_act_at,
        arg_max(effective_hi, effective_lo) filter (
            where is_grant and is_act and is_fresh
        ) as fresh_act_by
    from told
    group by scope_number, identifier_type, identifier
),

closed as (
    select
        *,
        -- An act lifts a withdrawal only when it lies wholly after it; ties stay withdrawn.
        weighed.withdrawn is not null
        and not coalesce(weighed.acted_at > weighed.withdrawn_at, false) as is_withdrawn,
        weighed.held is not null
        and not coalesce(weighed.acted_at > weighed.held_at, false) as is_held,
        -- Whichever of the two is null stands aside.
        greatest(weighed.withdrawn_at, weighed.held_at) as closed_at
    from weighed
),

-- What was closed is open by the acts that came after it, and by nothing older or weaker.
counted as (
    select
        closed.*,
        scopes.* exclude (scope_number),
        not closed.is_withdrawn
        and not closed.is_held
        and closed.closed_at is not null as is_reopened
    from closed
    inner join scopes on closed.scope_number = scopes.scope_number
),

judged as (
    select
        * replace (
            case
                when not is_reopened then granted_until
                when act_at > closed_at then 'infinity'::timestamptz
                else as_of
            end as granted_until,
            case
                when granted_until > as_of then is_reopened or express_by is not null
                else is_express
            end as is_express
        ),
        {%- for fresh, name in [('', 'granted'), ('fresh_', 'fresh')] %}
        {%- for end in ['at', 'by'] %}
        case
            when is_reopened
                then case when {{ fresh }}act_at > closed_at then {{ fresh }}act_{{ end }} end
            when express_by is not null then {{ fresh }}express_{{ end }}
            else {{ fresh }}any_{{ end }}
        end as {{ name }}_{{ end }},
        {%- endfor %}
        {%- endfor %}
        case
            when is_withdrawn then 'withdrawn'
            when is_held then 'held_for_review'
        end as closing
    from counted
),

found as (
    select
        *,
        -- What there would be without what closes it.
        case
            when granted_until > as_of then 'granted'
            when granted is not null then 'expired'
            when asked is not null then 'asked'
            when is_default_seen then 'unknown'
        end as beneath
    from judged
),

proven as (
    select
        *,
        coalesce(closing, beneath) as finding,
        case
            when closing = 'withdrawn' then withdrawn
            when closing = 'held_for_review' then held
            when beneath in ('granted', 'expired') then granted
            else coalesce(asked, shown)
        end as statement,
        coalesce(asked, shown) as asked_statement
    from found
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
    -- What was said, whatever was granted beside it.
    case
        when proven.asked is not null then asked.state
        when proven.is_default_seen then 'unknown'
    end as asked_state,
    proven.is_express,
    proven.fresh_by is not null as is_fresh,
    case when proven.stale_at < 'infinity'::timestamptz then proven.stale_at end as stale_at,
    proven.granted_at,
    proven.granted_by,
    proven.fresh_at,
    proven.fresh_by,
    case when proven.granted_until < 'infinity'::timestamptz then proven.granted_until end
        as granted_until,
    case when proven.lapses_at < 'infinity'::timestamptz then proven.lapses_at end as lapses_at,
    proven.withdrawn_at,
    proven.is_named,
    proven.is_held,
    proven.is_reopened,
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
