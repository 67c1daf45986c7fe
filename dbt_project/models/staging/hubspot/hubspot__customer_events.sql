with occurrences as (
    select
        *,
        -- The prefix of custom events and of apps' events holds the account's number.
        regexp_replace(event_type, '^(pe|ae)\d+_', '\1_') as raw_name
    from {{ ref('stg_hubspot__events') }}
    where fits
    qualify row_number() over (
        partition by account, record_id order by first_seen_at, payload_hash
    ) = 1
),

acts as (
    select
        *,
        starts_with(opt_out, 'hs_email_optout=')
        and opt_out <> 'hs_email_optout=false' as is_withdrawal
    from {{ ref('hubspot__acts') }}
),

pulled as (
    select
        'hubspot:' || occurrences.account || ':occurrence:' || occurrences.record_id as event_id,
        occurrences.account,
        case
            when upper(occurrences.object_type) in ('CONTACT', '0-1') then occurrences.object_id
        end as record_id,
        null as object_id,
        null as email,
        null as phone,
        coalesce(names.event_name, 'other') as event_name,
        occurrences.event_type as raw_name,
        occurrences.properties,
        occurrences.occurred_at,
        occurrences.first_seen_at as recorded_at,
        occurrences.written_in
    from occurrences
    left join {{ ref('event_names') }} as names
        on
            names.platform = 'hubspot'
            and occurrences.raw_name = names.raw_name
            and {{ in_force('names', 'occurrences.first_seen_at') }}
),

delivered as (
    select
        'hubspot:' || acts.account || ':act:' || acts.act_id as event_id,
        acts.account,
        acts.record_id,
        null as object_id,
        null as email,
        null as phone,
        case
            when acts.is_withdrawal then 'email_unsubscribed'
            else coalesce(names.event_name, 'other')
        end as event_name,
        concat_ws(':', acts.act, acts.property_name) as raw_name,
        null::json as properties,
        acts.occurred_at,
        acts.first_seen_at as recorded_at,
        acts.written_in
    from acts
    left join {{ ref('event_names') }} as names
        on
            names.platform = 'hubspot'
            and acts.act = names.raw_name
            and {{ in_force('names', 'acts.first_seen_at') }}
),

events as (
    select * from pulled
    union all by name
    select * from delivered
)

select
    event_id,
    account,
    record_id,
    object_id,
    email,
    phone,
    event_name,
    raw_name,
    null::varchar as person_name,
    null as country,
    null as region,
    null as currency,
    []::varchar[] as product_categories,
    properties,
    null as amount,
    true as counted,
    occurred_at,
    recorded_at,
    written_in
from events
