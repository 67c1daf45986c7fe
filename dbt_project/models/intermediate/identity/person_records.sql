with components as (
    select * from {{ ref('identity_components') }}
),

records as (
    select * from {{ ref('customer_records_latest') }}
),

created as (
    select
        record_key,
        min(created_at) as created_at
    from {{ ref('customer_records') }}
    group by record_key
),

numbered as (
    select
        records.record_key,
        records.platform,
        records.account,
        records.record_id,
        created.created_at,
        first_value(records.record_key) over (
            partition by components.component order by created.created_at, records.record_key
        ) as first_seen_record
    from components
    inner join records on components.record_key = records.record_key
    inner join created on components.record_key = created.record_key
)

select
    'p_' || left(sha256(first_seen_record), 16) as person_id,
    record_key,
    first_seen_record,
    platform,
    account,
    record_id,
    created_at
from numbered
