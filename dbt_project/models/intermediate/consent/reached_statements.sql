{{ config(materialized='view') }}

-- Our own write of a block by hand is no statement: the block itself speaks as long as it stands.
-- Nor is what another tool copies after an opt-out.
with copies as (
    select * from {{ ref('copied_grants') }}
),

statements as (
    select
        statements.consent_event_id,
        statements.platform,
        statements.account,
        statements.world,
        statements.identifier_type,
        statements.identifier,
        statements.suppression_keys,
        statements.sender,
        statements.channel,
        statements.purpose,
        statements.topic,
        statements.state,
        statements.basis,
        statements.actor,
        statements.scope,
        statements.has_evidence,
        statements.category,
        statements.effective_lo,
        statements.effective_hi,
        statements.recorded_at,
        statements.expires_at
    from {{ ref('consent_events') }} as statements
    anti join copies on statements.consent_event_id = copies.consent_event_id
    where statements.origin_write_id is null
),

-- Whom a withdrawal reaches beyond the identifier it names.
reached as (
    select * from {{ ref('fact_identifiers') }}
),

-- What the law lets a withdrawal end beyond its own words, from the day on that it is in force.
laws as (
    select
        clock.world,
        scopes.of_channel,
        scopes.covers_channel,
        scopes.covers_purpose
    from {{ ref('withdrawal_scopes') }} as scopes
    inner join {{ ref('clock') }} as clock
        on
            coalesce(scopes.effective_from <= clock.as_of, true)
            and coalesce(scopes.effective_to > clock.as_of, true)
    where scopes.act = 'sms_stop' and scopes.basis = 'law' and scopes.covers_scope = 'channel_all'
)

-- Grants are of the one identifier that they name; withdrawals of all that may be meant by it.
select
    statements.*,
    true as is_named
from statements
where identifier is not null
union all by name
select
    statements.* exclude (identifier),
    reached.identifier,
    -- One that names a record only names all its identifiers.
    reached.is_named or len(coalesce(statements.suppression_keys, [])) = 0 as is_named
from statements
inner join reached
    on
        statements.consent_event_id = reached.fact_id
        and statements.identifier_type = reached.identifier_type
where
    statements.state in ('withdrawn', 'hold', 'last_known')
    and coalesce(statements.identifier <> reached.identifier, true)
union all by name
-- One of all channels follows the person to all of them.
select
    statements.* exclude (identifier_type, identifier, channel),
    reached.identifier_type,
    reached.identifier,
    '*' as channel,
    true as is_named
from statements
inner join reached on statements.consent_event_id = reached.fact_id
where statements.scope = 'all_channels' and statements.state = 'withdrawn'
union all by name
-- Any objection to marketing keeps the person out of what is uploaded for advertising.
select
    statements.* exclude (identifier_type, identifier, channel, topic),
    reached.identifier_type,
    reached.identifier,
    'ads_audience' as channel,
    '*' as topic,
    true as is_named
from statements
inner join reached on statements.consent_event_id = reached.fact_id
where
    statements.purpose in ('*', 'marketing', 'profiling', 'sale_or_share')
    and statements.state = 'withdrawn'
union all by name
select
    statements.* exclude (identifier, channel, purpose, sender),
    reached.identifier,
    laws.covers_channel as channel,
    laws.covers_purpose as purpose,
    '*' as sender,
    true as is_named
from statements
inner join laws
    on statements.world = laws.world and statements.channel = laws.of_channel
inner join reached
    on
        statements.consent_event_id = reached.fact_id
        and statements.identifier_type = reached.identifier_type
where
    statements.state = 'withdrawn'
    and statements.scope = 'channel_all'
    and statements.purpose = 'marketing'
