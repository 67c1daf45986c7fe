with statuses as (
    select * from {{ ref('stg_hubspot__subscription_statuses') }}
    where fits
),

contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
    where fits
),

acts as (
    select * from {{ ref('hubspot__acts') }}
    where opt_out is not null
),

entries as (
    select
        *,
        unnest(statuses -> '$[*]') as entry
    from statuses
),

wide_entries as (
    select
        *,
        unnest(wide_statuses -> '$[*]') as entry
    from statuses
),

by_type as (
    select
        account,
        record_id,
        'status:' || record_id || ':' || payload_hash || ':'
        || (entry ->> '$.subscriptionId') || ':'
        || md5(coalesce(entry ->> '$.subscriberIdString', '')) as snapshot_id,
        'email' as channel,
        lower(trim(coalesce(
            entry ->> '$.subscriptionName', 'type:' || (entry ->> '$.subscriptionId')
        ))) as topic,
        {{ told_email("coalesce(entry ->> '$.subscriberIdString', email)") }} as identifier,
        entry ->> '$.status' as value,
        entry ->> '$.legalBasis' as detail,
        try_cast(entry ->> '$.timestamp' as timestamptz) as stated_lo,
        try_cast(entry ->> '$.timestamp' as timestamptz) as stated_hi,
        updated_at as shown_at,
        first_seen_at
    from entries
),

-- Opted out of everything, of the account or of one brand; either counts for all mail.
wide as (
    select
        account,
        record_id,
        'wide:' || record_id || ':' || payload_hash || ':'
        || coalesce(entry ->> '$.businessUnitId', '') || ':'
        || md5(coalesce(entry ->> '$.subscriberIdString', '')) as snapshot_id,
        'email' as channel,
        {{ told_email("coalesce(entry ->> '$.subscriberIdString', email)") }} as identifier,
        'all mail=' || (entry ->> '$.status') as value,
        entry ->> '$.wideStatusType' as detail,
        try_cast(entry ->> '$.timestamp' as timestamptz) as stated_lo,
        try_cast(entry ->> '$.timestamp' as timestamptz) as stated_hi,
        updated_at as shown_at,
        first_seen_at
    from wide_entries
),

opted_out_at as (
    select
        account,
        identifier,
        max(stated_hi) as stated_at
    from wide
    where value = 'all mail=UNSUBSCRIBED'
    group by account, identifier
),

-- The contact's own flag bears no time; where the opt-out from everything does, that is when.
flags as (
    select
        contacts.account,
        contacts.record_id,
        'contact:' || contacts.record_id || ':' || contacts.payload_hash as snapshot_id,
        'email' as channel,
        {{ told_email('contacts.email') }} as identifier,
        'hs_email_optout=' || lower(contacts.email_opt_out) as value,
        null::varchar as detail,
        case
            when lower(contacts.email_opt_out) = 'true' then opted_out_at.stated_at
        end as stated_lo,
        case
            when lower(contacts.email_opt_out) = 'true' then opted_out_at.stated_at
        end as stated_hi,
        contacts.updated_at as shown_at,
        contacts.first_seen_at
    from contacts
    left join opted_out_at
        on
            contacts.account = opted_out_at.account
            and {{ told_email('contacts.email') }} = opted_out_at.identifier
),

of_types as (
    {{ statements_on_change('hubspot', 'by_type', by_topic=true, by_address=true) }}
),

of_everything as (
    {{ statements_on_change('hubspot', 'wide', by_address=true) }}
),

of_contacts as (
    {{ statements_on_change('hubspot', 'flags') }}
),

delivered as (
    select
        'hubspot:' || acts.account || ':act:' || acts.act_id as consent_event_id,
        acts.account,
        acts.record_id,
        'email' as identifier_type,
        acts.email as identifier,
        '*' as sender,
        'email' as channel,
        'marketing' as purpose,
        acts.topic,
        coalesce(vocabulary.state, 'withdrawn') as state,
        null::varchar as basis,
        case when vocabulary.state is null then 'unseen_value' else vocabulary.method end as method,
        'unknown' as actor,
        'hubspot webhook' as source,
        'channel_all' as scope,
        false as has_evidence,
        null as category,
        null::varchar as origin_write_id,
        json_object('value', acts.opt_out) as evidence,
        null::boolean as age_capable_at_capture,
        acts.occurred_at as effective_lo,
        acts.occurred_at as effective_hi,
        acts.first_seen_at as recorded_at,
        acts.occurred_at as source_seen_at,
        null::timestamptz as expires_at
    from acts
    left join {{ ref('platform_values') }} as vocabulary
        on
            vocabulary.platform = 'hubspot'
            and vocabulary.field = 'consent'
            and acts.opt_out = vocabulary.value
            and {{ in_force('vocabulary', 'acts.first_seen_at') }}
)

select * from of_types
union all by name
select * from of_everything
union all by name
select * from of_contacts
union all by name
select * from delivered
