{#
    The `source` of a webhook staging model: the deliveries that are not staged yet.

    One row per (account, record_id), the first one received, since a platform repeats a delivery
    under the same id. With `items`, a JSON path to a list in the body, one row per item of it, and
    `item_id` is the SQL over `payload` that names an item again when it is delivered again.
#}
{% macro deliveries_of(platform, fields, items=none, item_id=none) %}
    {{ incremental_by(['account', 'record_id']) }}
    {{ config(meta={'platform': platform, 'object': 'webhooks'}) }}
    select distinct on (account, record_id)
        account,
        record_id,
        landing_id,
        payload_hash,
        topic,
        {{ parsed(fields) }},
        received_at as first_seen_at,
        {{ this_run() }} as written_in
    from (
        {%- if items %}
        select
            * replace (coalesce({{ item_id }}, record_id || ':' || place) as record_id)
        from (
            select
                * exclude (payload),
                unnest(payloads) as payload,
                unnest(range(len(payloads))) as place
            from (
                select
                    *,
                    -- A body without the list still makes one row, which ends in quarantine.
                    case
                        when len(try_cast(payload as json) -> '{{ items }}[*]') > 0
                            then try_cast(payload as json) -> '{{ items }}[*]'
                        else [null::json]
                    end as payloads
                from {{ source(platform, 'webhooks') }}
            ) as bodies
        ) as items
        {%- else %}
        select * replace (try_cast(payload as json) as payload)
        from {{ source(platform, 'webhooks') }}
        {%- endif %}
    ) as raw
    {%- if is_incremental() %}
    where not exists (
        from {{ this }} as staged
        where
            staged.account = raw.account
            and staged.record_id = raw.record_id
            and staged.first_seen_at <= raw.received_at
    )
    {%- endif %}
    order by received_at
{% endmacro %}
