with contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
    where fits
),

rules as (
    select * from {{ ref('age_tags') }}
    where platform = 'hubspot' and object = 'contacts'
),

typed_dates as (
    select
        -- The date itself stays out of ids, which reports and state show.
        'hubspot:' || account || ':contact:' || record_id || ':' || md5(record_id || birth_date)
            as age_evidence_id,
        account,
        record_id,
        'dob' as kind,
        'hubspot' as provider,
        arg_min(
            nullif(concat_ws(' ', first_name, last_name), ''), (first_seen_at, payload_hash)
        ) as bound_name,
        arg_min({{ told_email('email') }}, (first_seen_at, payload_hash)) as bound_identifier,
        2 as level,
        null::integer as threshold,
        birth_date as value,
        min(first_seen_at) as verified_at,
        min(first_seen_at) as recorded_at,
        null::timestamptz as expires_at
    from contacts
    where birth_date is not null
    group by account, record_id, birth_date
),

ticks as (
    select
        'hubspot:' || contacts.account || ':contact:' || contacts.record_id || ':' || rules.tag
            as age_evidence_id,
        contacts.account,
        contacts.record_id,
        rules.kind,
        rules.provider,
        arg_min(
            nullif(concat_ws(' ', contacts.first_name, contacts.last_name), ''),
            (contacts.first_seen_at, contacts.payload_hash)
        ) as bound_name,
        arg_min(
            {{ told_email('contacts.email') }}, (contacts.first_seen_at, contacts.payload_hash)
        ) as bound_identifier,
        rules.level,
        rules.threshold,
        null::date as value,
        min(contacts.first_seen_at) as verified_at,
        min(contacts.first_seen_at) as recorded_at,
        null::timestamptz as expires_at
    from contacts
    inner join rules
        on
            rules.tag = 'age_verified=' || lower(contacts.age_verified)
            and {{ in_force('rules', 'contacts.first_seen_at') }}
    group by
        contacts.account, contacts.record_id, rules.tag, rules.kind, rules.provider, rules.level,
        rules.threshold
)

select * from typed_dates
union all by name
select * from ticks
