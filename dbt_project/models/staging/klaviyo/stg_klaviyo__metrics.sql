{% set fields = [
    ('name', 'text', 'attributes.name'),
] %}

with source as (
    {{ versions_of('klaviyo', 'metrics', fields) }}
),

renamed as (
    select
        account,
        record_id,
        payload_hash,
        {{ typed(fields, essential={'name': 'true'}) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
