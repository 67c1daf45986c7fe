{#
    The `source` of a staging model: the versions of one raw object that are not staged yet.

    One row per (account, record_id, payload_hash), first_seen_at being the earliest sight of it.
    A raw row is new when its version was never staged, or was staged with a later first sight, so
    that rows that arrive out of order end the same way as a full refresh. `webhook_topics` adds the
    webhook bodies that carry the whole object, as further versions of it.
#}
{% macro versions_of(platform, object, fields, webhook_topics=[]) %}
    {{ incremental_by(['account', 'record_id', 'payload_hash']) }}
    {{ config(meta={'platform': platform, 'object': object}) }}
    select
        account,
        record_id,
        payload_hash,
        {{ parsed(fields) }},
        first_seen_at,
        {{ this_run() }} as written_in
    from (
        select
            account,
            record_id,
            payload_hash,
            -- Versions of one hash have one payload.
            try_cast(any_value(payload) as json) as payload,
            min(extracted_at) as first_seen_at
        from (
            select
                account,
                record_id,
                payload_hash,
                extracted_at,
                payload
            from {{ source(platform, object) }}
            {%- if is_incremental() %}
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
                    payload
                from {{ source(platform, 'webhooks') }}
                where topic in ('{{ webhook_topics | join("', '") }}')
            ) as raw
            {%- if is_incremental() %}
            where {{ not_staged() }}
            {%- endif %}
            {%- endif %}
        ) as sights
        group by account, record_id, payload_hash
    ) as versions
{% endmacro %}

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
