{{ incremental_by(['record_key']) }}

with ids as (
    select * from {{ ref('person_ids') }}
    where event is null
),

records as (
    select
        record_key,
        world,
        platform,
        account,
        record_id,
        min(created_at) as created_at
    from {{ ref('customer_records') }}
    group by record_key, world, platform, account, record_id
),

identified as (
    select
        ids.person_id,
        records.*,
        first_value(records.record_key) over (
            partition by ids.person_id order by records.created_at, records.record_key
        ) as first_seen_record
    from ids
    inner join records on ids.record_key = records.record_key
)

select
    identified.person_id,
    identified.record_key,
    identified.first_seen_record,
    identified.world,
    identified.platform,
    identified.account,
    identified.record_id,
    identified.created_at,
    {{ this_run() }} as written_in
from identified
{%- if is_incremental() %}
where
    not exists (
        from {{ this }} as known
        where
            identified.record_key = known.record_key
            and identified.person_id = known.person_id
            and identified.first_seen_record = known.first_seen_record
            and identified.created_at = known.created_at
    )
{%- endif %}
