with profiles as (
    select
        *,
        'profile:' || record_id || ':' || payload_hash as snapshot_id
    from {{ ref('stg_klaviyo__profiles') }}
    where fits
),

acts as (
    select * from {{ ref('klaviyo__statements') }}
    where state is not null
),

snapshots as (
    select
        account,
        record_id,
        snapshot_id,
        'email' as channel,
        {{ told_email('email') }} as identifier,
        email_consent as value,
        email_double_opt_in::varchar as detail,
        -- An opt-out may be as late as the last edit of the subscription; a grant is not.
        least(email_consent_at, email_consent_updated_at) as stated_lo,
        case
            when email_consent = 'SUBSCRIBED' then email_consent_at
            else greatest(email_consent_at, email_consent_updated_at)
        end as stated_hi,
        updated_at as shown_at,
        first_seen_at
    from profiles
    union all
    select
        account,
        record_id,
        snapshot_id,
        'sms' as channel,
        {{ told_phone('phone') }} as identifier,
        sms_consent as value,
        sms_double_opt_in::varchar as detail,
        least(sms_consent_at, sms_consent_updated_at) as stated_lo,
        case
            when sms_consent = 'SUBSCRIBED' then sms_consent_at
            else greatest(sms_consent_at, sms_consent_updated_at)
        end as stated_hi,
        updated_at as shown_at,
        first_seen_at
    from profiles
),

shown as (
    {{ statements_on_change('klaviyo', 'snapshots') }}
),

listed as (
    select
        account,
        record_id,
        {{ told_email('email') }} as identifier,
        '*' as topic,
        unnest(email_suppressions -> '$[*]') as entry,
        first_seen_at
    from profiles
    union all
    select
        account,
        record_id,
        {{ told_email('email') }} as identifier,
        'list' as topic,
        unnest(email_list_suppressions -> '$[*]') as entry,
        first_seen_at
    from profiles
),

-- An opt-out kept as a suppression entry; one that names a list is of that list's scope.
suppressed as (
    select
        listed.account,
        listed.record_id,
        listed.identifier,
        case listed.topic
            when 'list' then 'list:' || (listed.entry ->> '$.list_id')
            else '*'
        end as scope,
        listed.entry ->> '$.reason' as reason,
        try_cast(listed.entry ->> '$.timestamp' as timestamptz) as stated_at,
        min(listed.first_seen_at) as recorded_at
    from listed
    left join {{ ref('platform_values') }} as vocabulary
        on
            vocabulary.platform = 'klaviyo'
            and vocabulary.field = 'suppression'
            and vocabulary.state = 'withdrawn'
            and vocabulary.value = (listed.entry ->> '$.reason')
            and {{ in_force('vocabulary', 'listed.first_seen_at') }}
    where listed.topic = 'list' or vocabulary.value is not null
    group by all
),

suppression_statements as (
    select
        'klaviyo:' || account || ':suppression:' || record_id || ':' || md5(concat_ws(
            '|', identifier, scope, reason, stated_at
        )) as consent_event_id,
        account,
        record_id,
        'email' as identifier_type,
        identifier,
        '*' as sender,
        'email' as channel,
        'marketing' as purpose,
        coalesce(scope, '*') as topic,
        'withdrawn' as state,
        null as basis,
        'suppression_entry' as method,
        'unknown' as actor,
        'klaviyo suppression' as source,
        'channel_all' as scope,
        false as has_evidence,
        null as category,
        null as origin_write_id,
        json_object('reason', reason) as evidence,
        null::boolean as age_capable_at_capture,
        case when stated_at is not null then least(stated_at, recorded_at) end as effective_lo,
        least(coalesce(stated_at, recorded_at), recorded_at) as effective_hi,
        recorded_at,
        stated_at as source_seen_at,
        null::timestamptz as expires_at
    from suppressed
),

act_statements as (
    select
        'klaviyo:' || account || ':event:' || act_id as consent_event_id,
        account,
        record_id,
        case channel when 'email' then 'email' else 'phone' end as identifier_type,
        case channel when 'email' then email else phone end as identifier,
        '*' as sender,
        channel,
        'marketing' as purpose,
        '*' as topic,
        state,
        case when starts_with(state, 'granted') then 'express' end as basis,
        method,
        -- A call of any tool's makes the event of a subscription too: only the opt-out is theirs.
        case state when 'withdrawn' then 'customer' else 'unknown' end as actor,
        'klaviyo event' as source,
        'channel_all' as scope,
        state = 'withdrawn' as has_evidence,
        null as category,
        null as origin_write_id,
        json_object('event', raw_name) as evidence,
        null::boolean as age_capable_at_capture,
        least(occurred_at, first_seen_at) as effective_lo,
        least(occurred_at, first_seen_at) as effective_hi,
        first_seen_at as recorded_at,
        occurred_at as source_seen_at,
        null::timestamptz as expires_at
    from acts
)

select * from shown
union all by name
select * from suppression_statements
union all by name
select * from act_statements
