-- What is on record already and counts from some later moment on. Its time alone is told: what it
-- will then change is decided when it has come.
with clock as (
    select
        world,
        as_of,
        known_at,
        {{ policy('unknown_time_zone') }} as unknown_time_zone
    from {{ ref('clock') }} as clock
),

keys as (
    select * from {{ ref('person_keys') }}
),

records as (
    select * from {{ ref('person_records') }}
),

statements as (
    select
        statements.platform,
        statements.account,
        statements.record_id,
        statements.identifier_type,
        statements.identifier,
        case
            when statements.effective_lo > clock.as_of then statements.effective_lo
            else statements.effective_hi
        end as comes_at
    from {{ ref('consent_events') }} as statements
    inner join clock on statements.world = clock.world
    where
        statements.recorded_at <= clock.known_at
        and greatest(statements.effective_lo, statements.effective_hi) > clock.as_of
    union all
    select
        suppressions.platform,
        suppressions.account,
        suppressions.record_id,
        suppressions.identifier_type,
        suppressions.identifier,
        suppressions.closes_from as comes_at
    from {{ ref('suppressions') }} as suppressions
    inner join clock on suppressions.world = clock.world
    where
        suppressions.recorded_at <= clock.known_at
        and suppressions.closes_from > clock.as_of
),

evidence as (
    select
        evidence.person_id,
        evidence.kind,
        evidence.value,
        evidence.verified_at,
        clock.as_of,
        coalesce(persons.time_zone, clock.unknown_time_zone) as time_zone
    from {{ ref('age_evidence') }} as evidence
    inner join clock on evidence.world = clock.world
    inner join {{ ref('persons') }} as persons on evidence.person_id = persons.person_id
    where evidence.recorded_at <= clock.known_at
),

-- A law that widens what a withdrawal ends takes more away on the day it comes into force.
widened as (
    select
        reached.identifier_type,
        reached.identifier,
        laws.effective_from::timestamp at time zone 'UTC' as comes_at
    from {{ ref('consent_events') }} as statements
    inner join clock
        on statements.world = clock.world and statements.recorded_at <= clock.known_at
    inner join {{ ref('withdrawal_scopes') }} as laws
        on statements.channel = laws.of_channel and clock.as_of < laws.effective_from
    inner join {{ ref('fact_identifiers') }} as reached
        on
            statements.consent_event_id = reached.fact_id
            and statements.identifier_type = reached.identifier_type
    where
        statements.state = 'withdrawn'
        and statements.scope = 'channel_all'
        and statements.purpose = 'marketing'
        and statements.origin_write_id is null
        and laws.act = 'sms_stop'
        and laws.basis = 'law'
),

-- What is said of an identifier reaches everybody who shows it.
told as (
    select
        identifier_type,
        identifier,
        comes_at
    from statements
    union all
    select
        identifier_type,
        identifier,
        comes_at
    from widened
),

coming as (
    select
        keys.person_id,
        told.comes_at
    from told
    inner join keys
        on
            told.identifier_type = keys.identifier_type
            and told.identifier = keys.identifier
    union all
    -- A statement about a record reaches the record's person, whatever identifier it names.
    select
        records.person_id,
        statements.comes_at
    from statements
    inner join records
        on
            statements.platform = records.platform
            and statements.account = records.account
            and statements.record_id = records.record_id
    union all
    select
        events.person_id,
        events.occurred_at as comes_at
    from {{ ref('customer_events') }} as events
    inner join clock on events.world = clock.world
    where
        events.person_id is not null
        and events.recorded_at <= clock.known_at
        and events.occurred_at >= clock.as_of
        and (
            events.country is not null
            or events.event_name in ('order_placed', 'login', 'inquiry', 'message_delivered')
        )
    union all
    select
        person_id,
        verified_at as comes_at
    from evidence
    where verified_at > as_of
    union all
    -- A birth date that lies ahead is believed from the day after it on.
    select
        person_id,
        (value + 1)::timestamp at time zone time_zone as comes_at
    from evidence
    where kind = 'dob' and (value + 1)::timestamp at time zone time_zone > as_of
    union all
    -- A place where goods went counts for a while only, and may leave its law behind.
    select
        person_id,
        recedes_at as comes_at
    from {{ ref('person_places') }}
    where recedes_at is not null
    union all
    -- A rule that begins or ends may be anybody's.
    select
        records.person_id,
        changes.changes_at as comes_at
    from {{ ref('rule_changes') }} as changes
    inner join records on changes.world = records.world
),

found as (
    select
        person_id,
        min(comes_at) as comes_at
    from coming
    group by person_id
),

-- What comes for one who uses an identifier may change the answer for all who do.
users as (
    select distinct
        readers.readers_id,
        records.person_id
    from {{ ref('identifier_users') }} as readers
    inner join {{ ref('record_users') }} as records on readers.user_id = records.user_id
    where readers.readers_id <> readers.user_id
),

together as (
    select
        users.readers_id,
        min(found.comes_at) as comes_at
    from users
    inner join found on users.person_id = found.person_id
    group by users.readers_id
),

told_all as (
    select * from found
    union all
    select
        users.person_id,
        together.comes_at
    from users
    inner join together on users.readers_id = together.readers_id
)

select
    person_id,
    min(comes_at) as comes_at
from told_all
group by person_id
