{% set fields = [
    ('message_sid', 'text', 'MessageSid'),
    ('messaging_service_sid', 'text', 'MessagingServiceSid'),
    ('from_address', 'text', 'From'),
    ('to_address', 'text', 'To'),
    ('body', 'text', 'Body'),
    ('opt_out_type', 'text', 'OptOutType'),
    ('message_status', 'text', 'MessageStatus'),
    ('error_code', 'text', 'ErrorCode'),
] %}

with source as (
    {{ deliveries_of('twilio', fields) }}
),

renamed as (
    select
        account,
        record_id,
        landing_id,
        payload_hash,
        topic,
        {{ typed(fields, essential={
            'message_sid': 'true',
            'from_address': 'message_status is null',
            'to_address': 'message_status is not null',
        }) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
