{#
    Birth dates that records bear, as evidence. Each is of whoever the record was when it was first
    seen there. `records` has account, record_id, birth_date, first_name, last_name, email,
    first_seen_at and payload_hash; `object` is how the platform calls a record.
#}
{% macro typed_birth_dates(platform, object, records) %}
    select
        -- The date itself stays out of ids, which reports and state show.
        '{{ platform }}:' || account || ':{{ object }}:' || record_id
        || ':' || md5(record_id || birth_date) as age_evidence_id,
        account,
        record_id,
        'dob' as kind,
        '{{ platform }}' as provider,
        {{ borne_by() }},
        2 as level,
        null::integer as threshold,
        birth_date as value,
        min(first_seen_at) as verified_at,
        min(first_seen_at) as recorded_at,
        null::timestamptz as expires_at
    from {{ records }}
    where birth_date is not null
    group by account, record_id, birth_date
{% endmacro %}

{#
    What tags of records prove, as evidence. `bearers` is `records` as above with a column `tag`;
    `rules` are the platform's rows of `age_tags`; `told` leads the tag in the ids.
#}
{% macro proving_tags(platform, object, bearers, rules, told='') %}
    select
        '{{ platform }}:' || bearers.account || ':{{ object }}:' || bearers.record_id
        || ':{{ told }}' || rules.tag as age_evidence_id,
        bearers.account,
        bearers.record_id,
        rules.kind,
        rules.provider,
        {{ borne_by('bearers.') }},
        rules.level,
        rules.threshold,
        null::date as value,
        min(bearers.first_seen_at) as verified_at,
        min(bearers.first_seen_at) as recorded_at,
        null::timestamptz as expires_at
    from {{ bearers }} as bearers
    inner join {{ rules }} as rules
        on bearers.tag = rules.tag and {{ in_force('rules', 'bearers.first_seen_at') }}
    group by
        bearers.account, bearers.record_id, rules.tag, rules.kind, rules.provider, rules.level,
        rules.threshold
{% endmacro %}

{# The name and address that a record bore when the proof was first seen. #}
{% macro borne_by(of='') -%}
    arg_min(
            nullif(concat_ws(' ', {{ of }}first_name, {{ of }}last_name), ''),
            ({{ of }}first_seen_at, {{ of }}payload_hash)
        ) as bound_name,
        arg_min(
            {{ told_email(of ~ 'email') }}, ({{ of }}first_seen_at, {{ of }}payload_hash)
        ) as bound_identifier
{%- endmacro %}
