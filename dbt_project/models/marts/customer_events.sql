{{ incremental_by(['event_id']) }}

with accounts as (
    select * from {{ source('audiences', 'accounts') }}
),

records as (
    select * from {{ ref('person_records') }}
),

keys as (
    select * from {{ ref('person_keys') }}
    where is_first and not is_blocked and not is_shared
),

readings as (
    select * from {{ ref('identifier_keys') }}
    where target_key is not null
),

clock as (
    select
        world,
        to_minutes({{ policy('clock_skew_minutes') }}::integer) as skew
    from {{ ref('clock') }} as clock
),

reported as (
    {{ union_platforms('customer_events') }}
),

told as (
    select
        reported.* exclude (written_in) replace (
            -- As with statements, receipt is all that is certain where a clock runs far ahead.
            case
                when reported.occurred_at > reported.recorded_at + clock.skew
                    then reported.recorded_at
                else reported.occurred_at
            end as occurred_at
        ),
        accounts.brand,
        coalesce(reported.product_categories[1], 'none') as product_category,
        null::varchar as former_person_id,
        null::varchar as former_brand,
        true as is_new
    from reported
    inner join clock on reported.world = clock.world
    left join accounts
        on reported.platform = accounts.platform and reported.account = accounts.account
    {%- if is_incremental() %}
    where reported.written_in > {{ last_written() }}
    {%- endif %}
),

{%- if is_incremental() %}

-- What was told before may have got another person: with its record, or where no record led to one.
kept as (
    select
        events.* exclude (person_id, found_by, brand, written_in),
        accounts.brand,
        events.person_id as former_person_id,
        events.brand as former_brand,
        false as is_new
    from {{ this }} as events
    left join accounts
        on events.platform = accounts.platform and events.account = accounts.account
    left join records
        on
            events.platform = records.platform
            and events.account = records.account
            and events.record_id = records.record_id
            and records.written_in > {{ last_written() }}
    where
        records.record_key is not null
        or events.found_by is distinct from 'record'
        or accounts.brand is distinct from events.brand
),
{%- endif %}

events as (
    select * from told
    {%- if is_incremental() %}
    union all by name
    select kept.*
    from kept
    anti join told on kept.event_id = told.event_id
    {%- endif %}
),

-- An act belongs to the person of its record; one without a known record, to that of an id that
-- another system gave, else to that of its address.
recorded as (
    select
        events.*,
        records.person_id as recorded_person_id,
        case
            when records.person_id is null then events.world || events.external_key
        end as lone_external_key,
        case
            when records.person_id is null then {{ told_email('events.email') }}
        end as lone_email,
        case
            when records.person_id is null then {{ told_phone('events.phone') }}
        end as lone_phone,
        coalesce(accounts.default_region, '') as region_there
    from events
    left join accounts
        on events.platform = accounts.platform and events.account = accounts.account
    left join records
        on
            events.platform = records.platform
            and events.account = records.account
            and events.record_id = records.record_id
),

resolved as (
    select
        recorded.*,
        coalesce(
            recorded.recorded_person_id, externals.person_id, emails.person_id, phones.person_id
        ) as person_id,
        case
            when recorded.recorded_person_id is not null then 'record'
            when externals.person_id is not null then 'external'
            when emails.person_id is not null then 'email'
            when phones.person_id is not null then 'phone'
        end as found_by
    from recorded
    left join keys as externals
        on
            recorded.lone_external_key = externals.identifier
            and externals.identifier_type = 'external'
    left join readings as addresses
        on recorded.lone_email = addresses.told and addresses.identifier_type = 'email'
    left join readings as numbers
        on
            recorded.lone_phone = numbers.told
            and numbers.identifier_type = 'phone'
            and {{ read_in('recorded.lone_phone', ['recorded.region_there']) }} = numbers.read_in
    left join keys as emails
        on
            recorded.world || addresses.target_key = emails.identifier
            and emails.identifier_type = 'email'
    left join keys as phones
        on
            recorded.world || numbers.target_key = phones.identifier
            and phones.identifier_type = 'phone'
)

select
    event_id,
    person_id,
    found_by,
    world,
    platform,
    account,
    record_id,
    object_id,
    brand,
    email,
    phone,
    external_key,
    event_name,
    raw_name,
    person_name,
    country,
    region,
    product_category,
    product_categories,
    currency,
    properties,
    amount,
    counted,
    occurred_at,
    recorded_at,
    {{ this_run() }} as written_in
from resolved
where
    is_new
    or person_id is distinct from former_person_id
    or brand is distinct from former_brand
