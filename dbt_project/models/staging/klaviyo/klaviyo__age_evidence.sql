with profiles as (
    select * from {{ ref('stg_klaviyo__profiles') }}
    where fits and birth_date is not null
)

select
    -- The date itself stays out of ids, which reports and state show.
    'klaviyo:' || account || ':profile:' || record_id || ':' || md5(record_id || birth_date)
        as age_evidence_id,
    account,
    record_id,
    'dob' as kind,
    'klaviyo' as provider,
    arg_min(
        nullif(concat_ws(' ', first_name, last_name), ''), (first_seen_at, payload_hash)
    ) as bound_name,
    arg_min({{ told_email('email') }}, (first_seen_at, payload_hash)) as bound_identifier,
    2 as level,
    null::integer as threshold,
    birth_date as value,
    min(first_seen_at) as verified_at,
    min(first_seen_at) as recorded_at,
    null::timestamptz as expires_at
from profiles
group by account, record_id, birth_date
