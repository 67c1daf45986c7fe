{# What closes identifiers: withdrawals, erasures and suppressions, each with every key that it blocks. #}
{% macro closing_facts() -%}
    select
        consent_event_id as fact_id,
        platform,
        account,
        record_id,
        suppression_keys
    from {{ ref('consent_events') }}
    where state in ('withdrawn', 'hold', 'last_known', 'erased') and origin_write_id is null
    union all
    select
        suppression_id as fact_id,
        platform,
        account,
        record_id,
        suppression_keys
    from {{ ref('suppressions') }}
{%- endmacro %}
