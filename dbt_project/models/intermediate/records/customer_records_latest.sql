select * from {{ ref('customer_records') }}
qualify row_number() over (
    partition by record_key order by updated_at desc, first_seen_at desc, payload_hash
) = 1
