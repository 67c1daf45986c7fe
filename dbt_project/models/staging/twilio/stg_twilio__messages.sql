{% set fields = [
    ('messaging_service_sid', 'text'),
    ('from_address', 'text', 'from'),
    ('to_address', 'text', 'to'),
    ('direction', 'text'),
    ('status', 'text'),
    ('body', 'text'),
    ('error_code', 'text'),
    ('created_at', 'rfc2822_time', 'date_created'),
    ('sent_at', 'rfc2822_time', 'date_sent'),
    ('updated_at', 'rfc2822_time', 'date_updated'),
] %}

with source as (
    {{ versions_of('twilio', 'messages', fields) }}
),

renamed as (
    select
        account,
        record_id,
        payload_hash,
        {{ typed(fields, essential={
            'from_address': "direction = 'inbound'",
            'to_address': "direction <> 'inbound'",
            'direction': 'true',
            'created_at': 'true',
        }) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
