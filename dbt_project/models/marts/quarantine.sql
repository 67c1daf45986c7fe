with staged as (
    {%- for name in staging_models() %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select
        '{{ name.split("__")[0] | replace("stg_", "") }}' as platform,
        account,
        '{{ name.split("__")[1] }}' as object,
        record_id,
        payload_hash,
        unnest(misfits) as misfit,
        first_seen_at as seen_at
    from {{ ref(name) }}
    where len(misfits) > 0
    {%- endfor %}
)

select
    platform,
    account,
    object,
    record_id,
    payload_hash,
    misfit.field,
    misfit.reason,
    seen_at
from staged
union all
select
    platform,
    account,
    'consent' as object,
    record_id,
    consent_event_id as payload_hash,
    channel as field,
    'unknown_value' as reason,
    recorded_at as seen_at
from {{ ref('consent_events') }}
where method = 'unseen_value'
union all
-- A tool that opts people in again whom another let out is one to look after.
select
    statements.platform,
    statements.account,
    'consent' as object,
    statements.record_id,
    statements.consent_event_id as payload_hash,
    statements.channel as field,
    'copied_after_opt_out' as reason,
    statements.recorded_at as seen_at
from {{ ref('consent_events') }} as statements
semi join {{ ref('copied_grants') }} as copies
    on statements.consent_event_id = copies.consent_event_id
{%- if not var('cases', false) %}
union all
select
    'audiences' as platform,
    registry as account,
    'registry_receipts' as object,
    row_id as record_id,
    import_id as payload_hash,
    field,
    reason,
    seen_at
from {{ source('audiences', 'registry_misfits') }}
{%- endif %}
