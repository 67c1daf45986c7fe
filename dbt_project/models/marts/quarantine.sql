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
