with profiles as (
    select * from {{ ref('stg_klaviyo__profiles') }}
    where fits
)

select
    account,
    record_id,
    payload_hash,
    case when external_id is null then [] else [external_id] end as external_ids,
    email,
    phone,
    first_name,
    last_name,
    country,
    region,
    postal_code,
    'location' as place_kind,
    time_zone,
    language,
    []::varchar[] as tags,
    properties,
    created_at,
    updated_at,
    null::timestamptz as deleted_at,
    first_seen_at
from profiles
