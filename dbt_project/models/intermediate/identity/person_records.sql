{{ incremental_by(['record_key']) }}

with components as (
    select * from {{ ref('identity_components') }}
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

numbered as (
    select
        records.*,
        first_value(records.record_key) over (
            partition by components.component order by records.created_at, records.record_key
        ) as first_seen_record
    from components
    inner join records on components.record_key = records.record_key
),

identified as (
    select
        'p_' || left(sha256(first_seen_record), 16) as person_id,
        *
    from numbered
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
            and identified.created_at = known.created_at
    )
{%- endif %}
