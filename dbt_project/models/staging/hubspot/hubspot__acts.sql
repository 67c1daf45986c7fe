with deliveries as (
    select
        *,
        regexp_matches(property_name, '^hs_email_optout(_\d+)?$')
        and act = 'contact.propertyChange' as is_opt_out,
        list_contains(
            list_transform(misfits, lambda misfit: misfit.field), 'property_value'
        ) as is_unreadable
    from {{ ref('stg_hubspot__webhooks') }}
    where fits
),

contacts as (
    select * from {{ ref('stg_hubspot__contacts') }}
    where fits
    qualify row_number() over (
        partition by account, record_id order by updated_at desc, first_seen_at desc, payload_hash
    ) = 1
),

entries as (
    select
        account,
        unnest(statuses -> '$[*]') as entry
    from {{ ref('stg_hubspot__subscription_statuses') }}
    where fits
),

types as (
    select
        account,
        entry ->> '$.subscriptionId' as type_id,
        any_value(lower(trim(entry ->> '$.subscriptionName'))) as topic
    from entries
    group by account, type_id
)

select
    deliveries.account,
    deliveries.record_id as act_id,
    deliveries.landing_id,
    deliveries.object_id as record_id,
    deliveries.act,
    deliveries.property_name,
    contacts.record_id is not null as is_known,
    {{ told_email('contacts.email') }} as email,
    {{ told_phone('contacts.phone') }} as phone,
    -- An opt-out by its value in our vocabulary; the opt-out from one type has that type's topic.
    case
        when deliveries.is_opt_out and deliveries.is_unreadable then 'hs_email_optout=unreadable'
        when deliveries.is_opt_out
            then 'hs_email_optout=' || coalesce(lower(deliveries.property_value), 'false')
    end as opt_out,
    case
        when not deliveries.is_opt_out then null
        when deliveries.property_name = 'hs_email_optout' then '*'
        else coalesce(types.topic, 'type:' || substr(deliveries.property_name, 17))
    end as topic,
    deliveries.primary_object_id,
    deliveries.new_object_id,
    deliveries.merged_object_ids,
    least(
        coalesce(deliveries.occurred_at, deliveries.first_seen_at), deliveries.first_seen_at
    ) as occurred_at,
    deliveries.first_seen_at,
    deliveries.written_in
from deliveries
left join contacts
    on deliveries.account = contacts.account and deliveries.object_id = contacts.record_id
left join types
    on
        deliveries.account = types.account
        and deliveries.property_name = 'hs_email_optout_' || types.type_id
