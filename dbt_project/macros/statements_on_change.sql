{#
    Turns snapshots of a platform's consent state into statements, one per change.

    `snapshots` has account, record_id, snapshot_id, channel, identifier, value, detail,
    stated_lo, stated_hi (the platform's own consent time, null when it has none), shown_at (orders
    the snapshots of a record) and first_seen_at. A record's first snapshot is a statement too.
    A changed identifier carries withdrawals along but no grant: grants stay where they were given.
    A value that the vocabulary does not know is read as withdrawn. With `by_topic` a snapshot is of
    one topic, in a column of that name, and each topic of a record changes by itself. With
    `by_address` the platform keeps its states by address, so that each address changes by itself.
#}
{% macro statements_on_change(platform, snapshots, by_topic=false, by_address=false) %}
    select
        '{{ platform }}:' || account || ':' || snapshot_id || ':' || channel as consent_event_id,
        account,
        record_id,
        case channel when 'email' then 'email' else 'phone' end as identifier_type,
        identifier,
        '*' as sender,
        channel,
        'marketing' as purpose,
        {{ 'topic' if by_topic else "'*' as topic" }},
        state,
        -- Only the person gives express consent: an import or another tool's sync does not.
        case
            when starts_with(state, 'granted') and coalesce(actor, 'unknown') in ('customer', 'unknown')
                then 'express'
        end as basis,
        method,
        coalesce(actor, 'unknown') as actor,
        '{{ platform }} consent state' as source,
        coalesce(scope, 'channel_all') as scope,
        coalesce(has_evidence, false) as has_evidence,
        null as category,
        null::varchar as origin_write_id,
        json_object('value', value, 'detail', detail) as evidence,
        null::boolean as age_capable_at_capture,
        -- A time ahead of our own clock proves nothing beyond the moment of receipt.
        case
            when stated_lo is not null then least(stated_lo, first_seen_at)
            else previous_seen_at
        end as effective_lo,
        least(coalesce(stated_hi, first_seen_at), first_seen_at) as effective_hi,
        first_seen_at as recorded_at,
        stated_hi as source_seen_at,
        null::timestamptz as expires_at
    from (
        select
            changes.*,
            coalesce(exact.state, general.state, 'withdrawn') as state,
            coalesce(exact.actor, general.actor) as actor,
            coalesce(exact.scope, general.scope) as scope,
            coalesce(exact.evidence, general.evidence) as has_evidence,
            case
                when exact.state is null and general.state is null then 'unseen_value'
                else coalesce(exact.method, general.method)
            end as method
        from (
            select
                *,
                lag(value) over record as previous_value,
                lag(detail) over record as previous_detail,
                lag(stated_lo) over record as previous_stated_lo,
                lag(identifier) over record as previous_identifier,
                lag(first_seen_at) over record as previous_seen_at,
                row_number() over record as place
            from {{ snapshots }}
            where value is not null
            window record as (
                partition by
                    account,
                    {{ 'coalesce(identifier, record_id)' if by_address else
                        'coalesce(record_id, identifier)' }},
                    channel{{ ', topic' if by_topic }}
                order by shown_at, first_seen_at, snapshot_id
            )
        ) as changes
        left join {{ ref('platform_values') }} as exact
            on
                exact.platform = '{{ platform }}'
                and exact.field = 'consent'
                and changes.value = exact.value
                and changes.detail = exact.detail
                and {{ in_force('exact', 'changes.first_seen_at') }}
        left join {{ ref('platform_values') }} as general
            on
                general.platform = '{{ platform }}'
                and general.field = 'consent'
                and changes.value = general.value
                and general.detail = '*'
                and {{ in_force('general', 'changes.first_seen_at') }}
    ) as mapped
    where
        place = 1
        or value is distinct from previous_value
        or detail is distinct from previous_detail
        or stated_lo is distinct from previous_stated_lo
        or (
            identifier is distinct from previous_identifier
            and not starts_with(state, 'granted')
        )
{% endmacro %}
