with records as (
    select * from {{ ref('customer_records_latest') }}
    where deleted_at is null
),

accounts as (
    select * from {{ source('audiences', 'accounts') }}
),

person_records as (
    select * from {{ ref('person_records') }}
),

-- Where a platform shows us no records of its own, the ids that others carry for it stand for them.
carried as (
    select distinct
        person_records.person_id,
        records.external_key
    from (
        select
            record_key,
            unnest(external_keys) as external_key
        from records
    ) as records
    inner join person_records on records.record_key = person_records.record_key
)

select
    records.platform,
    records.account,
    records.record_id,
    person_records.person_id,
    records.brand,
    records.email_key as email,
    records.phone_key as phone
from records
inner join person_records on records.record_key = person_records.record_key
union all
select
    accounts.platform,
    accounts.account,
    substr(carried.external_key, len(accounts.platform || accounts.account) + 3) as record_id,
    carried.person_id,
    accounts.brand,
    null as email,
    null as phone
from carried
inner join accounts
    on starts_with(carried.external_key, accounts.platform || ':' || accounts.account || ':')
anti join records on accounts.platform = records.platform and accounts.account = records.account
