{% set email = 'attributes.subscriptions.email.marketing.' %}
{% set sms = 'attributes.subscriptions.sms.marketing.' %}
{% set fields = [
    ('external_id', 'text', 'attributes.external_id'),
    ('email', 'text', 'attributes.email'),
    ('phone', 'text', 'attributes.phone_number'),
    ('first_name', 'text', 'attributes.first_name'),
    ('last_name', 'text', 'attributes.last_name'),
    ('language', 'text', 'attributes.locale'),
    ('country', 'text', 'attributes.location.country'),
    ('region', 'text', 'attributes.location.region'),
    ('postal_code', 'text', 'attributes.location.zip'),
    ('time_zone', 'text', 'attributes.location.timezone'),
    ('properties', 'object', 'attributes.properties'),
    ('email_consent', 'text', email ~ 'consent'),
    ('email_method', 'text', email ~ 'method'),
    ('email_suppressions', 'list', email ~ 'suppression'),
    ('email_list_suppressions', 'list', email ~ 'list_suppressions'),
    ('sms_consent', 'text', sms ~ 'consent'),
    ('sms_method', 'text', sms ~ 'method'),
    ('email_double_opt_in', 'flag', email ~ 'double_optin'),
    ('sms_double_opt_in', 'flag', sms ~ 'double_optin'),
    ('birth_date', 'birth_date', [
        'attributes.properties.date_of_birth',
        'attributes.properties.birth_date',
        'attributes.properties.birthdate',
        'attributes.properties.Birthday',
    ]),
    ('email_consent_at', 'time', email ~ 'consent_timestamp'),
    ('email_consent_updated_at', 'time', email ~ 'last_updated'),
    ('sms_consent_at', 'time', sms ~ 'consent_timestamp'),
    ('sms_consent_updated_at', 'time', sms ~ 'last_updated'),
    ('created_at', 'time', 'attributes.created'),
    ('updated_at', 'time', 'attributes.updated'),
] %}

with source as (
    {{ versions_of('klaviyo', 'profiles', fields) }}
),

renamed as (
    select
        account,
        record_id,
        payload_hash,
        {{ typed(fields, essential={'created_at': 'true', 'updated_at': 'true'}) }},
        first_seen_at,
        written_in
    from source
)

select * from renamed
