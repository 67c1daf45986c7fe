{{ config(materialized='view') }}

with records as (
    {{ union_platforms('customer_records') }}
),

statements as (
    {{ union_platforms('consent_events') }}
),

suppressions as (
    {{ union_platforms('suppressions') }}
),

events as (
    {{ union_platforms('customer_events') }}
),

accounts as (
    select * from {{ source('audiences', 'accounts') }}
),

countries as (
    select * from {{ ref('country_names') }}
),

told as (
    select
        'email' as identifier_type,
        {{ told_email('email') }} as told,
        '' as read_in
    from records
    union
    select
        'phone' as identifier_type,
        {{ told_phone('records.phone') }} as told,
        {{ read_in('told', ['countries.country', 'accounts.default_region']) }} as read_in
    from records
    left join accounts
        on records.platform = accounts.platform and records.account = accounts.account
    left join countries
        on lower(trim(records.country)) = countries.name
    union
    select
        statements.identifier_type,
        statements.identifier as told,
        {{ read_by_account('statements', 'accounts') }} as read_in
    from statements
    left join accounts
        on statements.platform = accounts.platform and statements.account = accounts.account
    union
    select
        suppressions.identifier_type,
        suppressions.identifier as told,
        {{ read_by_account('suppressions', 'accounts') }} as read_in
    from suppressions
    left join accounts
        on suppressions.platform = accounts.platform and suppressions.account = accounts.account
    union
    -- An act of a record belongs to its person, whatever address it names.
    select
        'email' as identifier_type,
        {{ told_email('email') }} as told,
        '' as read_in
    from events
    where record_id is null
    union
    select
        'phone' as identifier_type,
        {{ told_phone('events.phone') }} as told,
        {{ read_in('told', ['accounts.default_region']) }} as read_in
    from events
    left join accounts
        on events.platform = accounts.platform and events.account = accounts.account
    where events.record_id is null
    union
    -- Only what a registry has is sought in every spelling.
    select
        receipts.identifier_type,
        receipts.told,
        case receipts.identifier_type
            when 'phone' then {{ read_in('receipts.told', ['registries.country']) }} else ''
        end as read_in
    from {{ ref('registry_receipts') }} as receipts
    inner join {{ ref('registries') }} as registries on receipts.registry = registries.registry
    where receipts.result <> 'clear'
)

select * from told
where told is not null and identifier_type in ('email', 'phone')
