with profiles as (
    select * from {{ ref('stg_klaviyo__profiles') }}
    where fits
),

acts as (
    select * from {{ ref('klaviyo__statements') }}
    where suppression_kind is not null
),

entries as (
    select
        account,
        record_id,
        {{ told_email('email') }} as identifier,
        unnest(email_suppressions -> '$[*]') as entry,
        first_seen_at
    from profiles
),

shown_entries as (
    select
        account,
        record_id,
        identifier,
        entry ->> '$.reason' as reason,
        try_cast(entry ->> '$.timestamp' as timestamptz) as stated_at,
        min(first_seen_at) as recorded_at
    from entries
    group by all
),

shown as (
    select
        'klaviyo:' || entries.account || ':suppression:' || entries.record_id || ':'
        || md5(concat_ws('|', entries.identifier, entries.reason, entries.stated_at))
            as suppression_id,
        entries.account,
        entries.record_id,
        -- A reason nobody has seen before blocks until somebody has looked at it.
        coalesce(vocabulary.suppression_kind, 'manual_block') as kind,
        'email' as identifier_type,
        entries.identifier,
        'klaviyo suppression' as source,
        coalesce(entries.stated_at, '-infinity'::timestamptz) as effective_lo,
        least(
            coalesce(entries.stated_at, entries.recorded_at), entries.recorded_at
        ) as effective_at,
        entries.recorded_at
    from shown_entries as entries
    left join {{ ref('platform_values') }} as vocabulary
        on
            vocabulary.platform = 'klaviyo'
            and vocabulary.field = 'suppression'
            and entries.reason = vocabulary.value
            and {{ in_force('vocabulary', 'entries.recorded_at') }}
    where vocabulary.state is null
),

reported as (
    select
        'klaviyo:' || account || ':event:' || act_id as suppression_id,
        account,
        record_id,
        suppression_kind as kind,
        'email' as identifier_type,
        email as identifier,
        'klaviyo event' as source,
        least(occurred_at, first_seen_at) as effective_at,
        first_seen_at as recorded_at
    from acts
)

select * from shown
union all by name
select * from reported
