with texts as (
    select * from {{ ref('twilio__texts') }}
)

select
    account,
    address as record_id,
    sha256(concat_ws(' ', address, count(*), max(occurred_at))) as payload_hash,
    []::varchar[] as external_ids,
    null as email,
    address as phone,
    null as first_name,
    null as last_name,
    null as country,
    null as region,
    null as postal_code,
    null as place_kind,
    null as time_zone,
    null as language,
    []::varchar[] as tags,
    null::json as properties,
    min(occurred_at) as created_at,
    max(occurred_at) as updated_at,
    null::timestamptz as deleted_at,
    min(first_seen_at) as first_seen_at
from texts
group by account, address
