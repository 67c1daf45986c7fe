with records as (
    {{ union_platforms('customer_records') }}
),

accounts as (
    select * from {{ source('audiences', 'accounts') }}
),

countries as (
    select * from {{ ref('country_names') }}
),

regions as (
    select * from {{ ref('region_names') }}
),

keys as (
    select * from {{ ref('identifier_keys') }}
)

select
    records.platform || ':' || records.account || ':' || records.record_id as record_key,
    records.world,
    records.platform,
    records.account,
    records.record_id,
    records.payload_hash,
    records.external_ids,
    list_transform(
        {{ external_keys('accounts.external_ids', 'records.properties') }},
        lambda key: records.world || key
    ) as external_keys,
    accounts.brand,
    records.email,
    records.phone,
    records.world || emails.target_key as email_key,
    records.world || phones.target_key as phone_key,
    emails.told as email_told,
    phones.told as phone_told,
    phones.read_in as phone_read_in,
    records.first_name,
    records.last_name,
    countries.country,
    coalesce(regions.region, upper(records.region)) as region,
    records.postal_code,
    records.place_kind,
    records.time_zone,
    records.language,
    records.tags,
    records.properties,
    records.created_at,
    records.updated_at,
    records.deleted_at,
    records.first_seen_at
from records
left join accounts
    on records.platform = accounts.platform and records.account = accounts.account
left join countries
    on lower(trim(records.country)) = countries.name
left join regions
    on countries.country = regions.country and lower(trim(records.region)) = regions.name
left join keys as emails
    on
        emails.identifier_type = 'email'
        and {{ told_email('records.email') }} = emails.told
left join keys as phones
    on
        phones.identifier_type = 'phone'
        and {{ told_phone('records.phone') }} = phones.told
        and phones.read_in = {{ read_in(
            told_phone('records.phone'), ['countries.country', 'accounts.default_region']
        ) }}
