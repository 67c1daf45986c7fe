{#
    The `source` of a staging model: the versions of one raw object that are not staged yet.

    One row per (account, record_id, payload_hash), first_seen_at being the earliest sight of it.
    A raw row is new when its version was never staged, or was staged with a later first sight, so
    that rows that arrive out of order end the same way as a full refresh. `webhook_topics` adds the
    webhook bodies that carry the whole object, as further versions of it.
#}
{% macro versions_of(platform, object, fields, webhook_topics=[]) %}
    {{ config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['account', 'record_id', 'payload_hash'],
        on_schema_change='append_new_columns',
        meta={'platform': platform, 'object': object},
    ) }}
    {%- set only_new = is_staged(fields) %}
    select distinct on (account, record_id, payload_hash)
        account,
        record_id,
        payload_hash,
        {{ parsed(fields) }},
        extracted_at as first_seen_at
    from (
        select
            account,
            record_id,
            payload_hash,
            extracted_at,
            try_cast(payload as json) as payload
        from {{ source(platform, object) }}
        {%- if only_new %}
        -- By row number, so that only the payloads of new versions are read.
        where rowid in (
            select raw.rowid
            from {{ source(platform, object) }} as raw
            where {{ not_staged() }}
        )
        {%- endif %}
        {%- if webhook_topics %}
        union all
        select * from (
            select
                account,
                coalesce(try_cast(payload as json) ->> '$.id', record_id) as record_id,
                payload_hash,
                received_at as extracted_at,
                try_cast(payload as json) as payload
            from {{ source(platform, 'webhooks') }}
            where topic in ('{{ webhook_topics | join("', '") }}')
        ) as raw
        {%- if only_new %}
        where {{ not_staged() }}
        {%- endif %}
        {%- endif %}
    ) as versions
    order by extracted_at
{% endmacro %}

{#
    True when what is staged already has every field, so that only new rows are read. A field that a
    newer version of the model added is filled by one more pass over everything.
#}
{% macro is_staged(fields) -%}
    {#- Says yes or nothing: a `return` would end the macro that asks, where the linter renders it. -#}
    {%- if execute and is_incremental() -%}
        {%- set staged = adapter.get_columns_in_relation(this) | map(attribute='name') | list -%}
        {%- if not fields | map(attribute=0) | reject('in', staged) | list -%} yes {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# True for a row of `raw` that is no staged version yet, or an earlier sight of one. #}
{% macro not_staged() -%}
    not exists (
        from {{ this }} as staged
        where
            staged.account = raw.account
            and staged.record_id = raw.record_id
            and staged.payload_hash = raw.payload_hash
            and staged.first_seen_at <= raw.extracted_at
    )
{%- endmacro %}
