with records as (
    select * from {{ source('cases', 'records') }}
)

select
    world,
    platform,
    account,
    record_id,
    fact_id as payload_hash,
    []::varchar[] as external_ids,
    email,
    phone,
    split_part(name, ' ', 1) as first_name,
    nullif(substr(name, length(split_part(name, ' ', 1)) + 2), '') as last_name,
    country,
    region,
    postal_code,
    case place when 'location' then 'location' else 'address' end as place_kind,
    time_zone,
    null::varchar as language,
    []::varchar[] as tags,
    null::json as properties,
    min(valid_hi) over (partition by account, platform, record_id) as created_at,
    valid_hi as updated_at,
    case when deleted then recorded_at end as deleted_at,
    recorded_at as first_seen_at
from records
