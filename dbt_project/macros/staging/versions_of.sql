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
    with sights as materialized (
        {{ first_sights(platform, object, webhook_topics) }}
    )

    select
        account,
        record_id,
        payload_hash,
        {{ parsed(fields) }},
        extracted_at as first_seen_at,
        {{ this_run() }} as written_in
    from (
        select
            account,
            record_id,
            payload_hash,
            extracted_at,
            try_cast(payload as json) as payload
        from {{ source(platform, object) }}
        where rowid in (select first_sight // 2 from sights where first_sight % 2 = 0)
        {%- if webhook_topics %}
        union all
        select
            account,
            {{ delivered_id() }} as record_id,
            payload_hash,
            received_at as extracted_at,
            try_cast(payload as json) as payload
        from {{ source(platform, 'webhooks') }}
        where rowid in (select first_sight // 2 from sights where first_sight % 2 = 1)
        {%- endif %}
    ) as versions
{% endmacro %}

{#
    The row of the first sight of each version: twice its row number in the object's table, or that and
    one for a row of the webhooks. Payloads are read by row number afterwards, since sorting them out
    themselves would keep all of them in memory.
#}
{% macro first_sights(platform, object, webhook_topics) -%}
    select arg_min(place, extracted_at) as first_sight
    from (
        select
            2 * rowid as place,
            account,
            record_id,
            payload_hash,
            extracted_at
        from {{ source(platform, object) }}
        {%- if webhook_topics %}
        union all
        select
            2 * rowid + 1 as place,
            account,
            {{ delivered_id() }} as record_id,
            payload_hash,
            received_at as extracted_at
        from {{ source(platform, 'webhooks') }}
        where topic in ('{{ webhook_topics | join("', '") }}')
        {%- endif %}
    ) as raw
    {%- if is_incremental() %}
    where {{ not_staged() }}
    {%- endif %}
    group by account, record_id, payload_hash
{%- endmacro %}

{# The id of the object that a webhook's body carries whole. #}
{% macro delivered_id() -%}
    coalesce(try_cast(payload as json) ->> '$.id', record_id)
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
