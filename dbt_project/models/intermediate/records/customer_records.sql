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
    records.world || {{ email_key('records.email') }} as email_key,
    records.world || {{ phone_key('records.phone') }} as phone_key,
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
