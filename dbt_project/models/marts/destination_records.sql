with records as (
    select * from {{ ref('customer_records_latest') }}
    where deleted_at is null
),

person_records as (
    select * from {{ ref('person_records') }}
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
