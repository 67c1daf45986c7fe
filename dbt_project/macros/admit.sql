{#
    Admission: after a segment is built, write its audience and its exclusions, in the transaction
    that replaced the segment, so that a failure leaves the last good three tables.

    admitted = (segment + enterers) with an eligible decision - leavers - holdout
    leavers: a leave_on event at or after `since`, or any when the segment has no `since`, of the
    person or of anybody who may be the same, as the speed lane removes them
    enterers: an enter_on event that no leave_on event followed
    holdout: a draw fixed by audience and person
#}
{% macro admit() %}
    {%- set decisions = ref('decisions') -%}
    {%- set events = ref('customer_events') -%}
    {%- set clock = ref('clock') -%}
    {%- set blocks = ref('person_blocks') -%}
    {%- set circles = ref('person_circles') -%}
    {%- if execute -%}
        {%- set faults = twin_faults(model) -%}
        {%- set columns = adapter.get_columns_in_relation(this) | map(attribute='name') | list -%}
        {%- do faults.extend(column_faults(columns)) if not faults -%}
        {%- if faults -%}
            {{ exceptions.raise_compiler_error(
                'models/segments/' ~ model.name ~ '.yml: ' ~ faults | join(' ')
            ) }}
        {%- endif -%}
        {{ admission_sql(model.name, model.config.meta.audience, columns, decisions, events, clock, blocks, circles) }}
    {%- endif -%}
{% endmacro %}

{# What is wrong with the columns or rows that a segment returned. #}
{% macro column_faults(columns) %}
    {%- set faults = [] -%}
    {%- set reserved = [
        'audience', 'identifier_type', 'identifier', 'question_id', 'as_of', 'build_id',
        'reason_codes', 'lead_reason', 'evidence_ids',
    ] -%}
    {%- if 'person_id' not in columns -%}
        {%- do faults.append('the SQL returns no person_id. Select person_id first, then traits.') -%}
    {%- else -%}
        {%- set odd = run_query(
            'select person_id from ' ~ this ~ ' group by 1 having count(*) > 1 or person_id is null limit 1'
        ) -%}
        {%- if odd | length -%}
            {%- do faults.append(
                'the SQL returns a person twice or none at all. Return one row per person_id.'
            ) -%}
        {%- endif -%}
    {%- endif -%}
    {%- for column in columns if column in reserved -%}
        {%- do faults.append('the SQL returns "' ~ column ~ '". Give that trait another name.') -%}
    {%- endfor -%}
    {{ return(faults) }}
{% endmacro %}

{% macro admission_sql(name, audience, columns, decisions, events, clock, blocks, circles) %}
    {%- set traits = columns | reject('in', ['person_id', 'since']) | list -%}
    {%- set leave_on = event_names(audience.get('leave_on')) -%}
    {%- set enter_on = event_names(audience.get('enter_on')) -%}
    create or replace temp table {{ name }}__candidates as
    with segment as (
        select
            *
            {%- if 'since' not in columns %},
            null::timestamptz as since
            {%- endif %}
        from {{ this }}
    ),

    own_turns as (
        select
            person_id,
            max(occurred_at) filter (where event_name in {{ literals(leave_on) }}) as left_at,
            max(occurred_at) filter (where event_name in {{ literals(enter_on) }}) as entered_at
        from {{ events }}
        where
            person_id is not null
            and event_name in {{ literals(leave_on + enter_on) }}
            and recorded_at <= (select known_at from {{ clock }})
        group by person_id
    ),

    left_circles as (
        select
            circles.circle,
            max(own_turns.left_at) as left_at
        from own_turns
        inner join {{ circles }} as circles on own_turns.person_id = circles.person_id
        where own_turns.left_at is not null
        group by circles.circle
    ),

    turns as (
        select
            person_id,
            max(left_at) as left_at,
            max(entered_at) as entered_at
        from (
            select
                person_id,
                null::timestamptz as left_at,
                entered_at
            from own_turns
            union all
            select
                circles.person_id,
                left_circles.left_at,
                null as entered_at
            from left_circles
            inner join {{ circles }} as circles on left_circles.circle = circles.circle
        ) as turned
        group by person_id
    ),

    enterers as (
        select
            person_id,
            entered_at as since
        from turns
        where
            entered_at < (select as_of from {{ clock }})
            and coalesce(left_at < entered_at, true)
            and person_id not in (select person_id from segment)
    ),

    interested as (
        select * from segment
        union all by name
        select * from enterers
    ),

    blocks as (
        select
            person_id,
            flatten(list(reason_codes)) as reason_codes,
            flatten(list(suppression_ids)) as suppression_ids
        from {{ blocks }}
        where
            channel in ('*', '{{ audience.channel }}')
            and topic in ('*', '{{ audience.topic | replace("'", "''") }}')
        group by person_id
    )

    select
        interested.*,
        decisions.identifier_type,
        decisions.identifier,
        coalesce(decisions.eligible, false) as eligible,
        -- Nothing was decided about a person without an identifier; what blocks the person still leads.
        coalesce(
            decisions.reason_codes,
            list_append(coalesce(blocks.reason_codes, []), 'no_identifier')
        ) as decided,
        coalesce(decisions.evidence_ids, blocks.suppression_ids, []) as evidence_ids,
        turns.left_at is not null
        and coalesce(turns.left_at >= interested.since, true) as has_left,
        {{ draw(name, 'interested.person_id') }} < {{ audience.get('holdout', 0) }} as held_out
    from interested
    left join turns on interested.person_id = turns.person_id
    left join blocks on interested.person_id = blocks.person_id
    left join {{ decisions }} as decisions
        on
            interested.person_id = decisions.person_id
            and decisions.question_id = '{{ question_parts(audience) | join("|") | replace("'", "''") }}';

    create or replace table audiences.{{ name }} as
    select
        '{{ name }}' as audience,
        candidates.person_id,
        candidates.identifier_type,
        candidates.identifier,
        '{{ question_parts(audience) | join("|") | replace("'", "''") }}' as question_id,
        {%- for trait in traits %}
        candidates.{{ adapter.quote(trait) }},
        {%- endfor %}
        clock.as_of,
        clock.build_id
    from {{ name }}__candidates as candidates
    cross join {{ clock }} as clock
    where candidates.eligible and not candidates.has_left and not candidates.held_out;

    create or replace table exclusions.{{ name }} as
    with reasoned as (
        select
            candidates.*,
            list_filter(
                list_concat(candidates.decided, [
                    case when candidates.has_left then 'left' end,
                    case when candidates.held_out then 'holdout' end
                ]),
                lambda code: code <> 'ok'
            ) as reason_codes
        from {{ name }}__candidates as candidates
        where candidates.person_id not in (select person_id from audiences.{{ name }})
    )

    select
        '{{ name }}' as audience,
        reasoned.person_id,
        reasoned.identifier_type,
        reasoned.identifier,
        reasoned.reason_codes,
        reasoned.reason_codes[1] as lead_reason,
        reasoned.evidence_ids,
        clock.build_id
    from reasoned
    cross join {{ clock }} as clock;

    drop table {{ name }}__candidates;
{% endmacro %}

{# A list of words as the right side of `in`; an empty one matches nothing. #}
{% macro literals(words) -%}
    (
        {%- for word in words -%}
            '{{ word | replace("'", "''") }}'{{ ', ' if not loop.last }}
        {%- else -%}
            null
        {%- endfor -%}
    )
{%- endmacro %}

{# A number in [0, 1) that is fixed by audience and person. #}
{% macro draw(name, person_id) -%}
    ('0x' || left(sha256('{{ name }}:' || {{ person_id }}), 8))::ubigint / 4294967296.0
{%- endmacro %}
