with contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
    where fits
),

acts as (
    select * from {{ ref('hubspot__acts') }}
),

-- A merge leaves one contact; the others are gone.
merged as (
    select
        account,
        unnest(list_append(
            json_extract_string(merged_object_ids, '$[*]'), primary_object_id
        )) as record_id,
        coalesce(new_object_id, primary_object_id, record_id) as survivor,
        occurred_at
    from acts
    where act = 'contact.merge'
),

moves as (
    select
        account,
        record_id,
        act <> 'contact.restore' as is_gone,
        occurred_at
    from acts
    where act in ('contact.deletion', 'contact.privacyDeletion', 'contact.restore')
    union all
    select
        account,
        record_id,
        true as is_gone,
        occurred_at
    from merged
    where record_id <> survivor
),

removals as (
    select
        account,
        record_id,
        max(occurred_at) filter (where is_gone) as deleted_at
    from moves
    group by account, record_id
    having
        deleted_at > coalesce(
            max(occurred_at) filter (where not is_gone), '-infinity'::timestamptz
        )
)

select
    contacts.account,
    contacts.record_id,
    contacts.payload_hash,
    []::varchar[] as external_ids,
    contacts.email,
    contacts.phone,
    contacts.first_name,
    contacts.last_name,
    contacts.country,
    contacts.region,
    contacts.postal_code,
    'location' as place_kind,
    -- HubSpot names its time zones in words of its own.
    null::varchar as time_zone,
    contacts.language,
    []::varchar[] as tags,
    contacts.properties,
    contacts.created_at,
    greatest(contacts.updated_at, contacts.archived_at) as updated_at,
    case
        when coalesce(contacts.archived, false)
            then coalesce(contacts.archived_at, contacts.updated_at)
        -- What changed after it was deleted has been restored since.
        when contacts.updated_at <= removals.deleted_at then removals.deleted_at
    end as deleted_at,
    contacts.first_seen_at
from contacts
left join removals
    on contacts.account = removals.account and contacts.record_id = removals.record_id
