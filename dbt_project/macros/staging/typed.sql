{#
    Typing of JSON payloads. A staging model lists its fields once, as (column, kind[, path]). The
    path defaults to the column's name; a list of paths means the first that is there; one that
    starts with a parenthesis is SQL over `payload`.

    kinds: text, integer, number, flag, object, list, time (ISO 8601), rfc2822_time, epoch_time,
    birth_date (a plain date; a year alone means its last day, a month alone its last day).
#}

{# How a field is found: its path or paths, and whether it needs an expression of its own. #}
{% macro path_of(field) %}
    {{ return(field[2] if field | length > 2 else field[0]) }}
{% endmacro %}

{% macro is_inline(field) %}
    {{ return(path_of(field) is not string or path_of(field)[0] == '(') }}
{% endmacro %}

{# Every field of `payload`, as JSON, most of them in one pass over it; the last is a body that was no JSON. #}
{% macro parsed(fields) -%}
    starts_with(ltrim(payload, e' \t\r\n'), '{') as is_object,
    json_extract(payload, [
        {%- for field in fields -%}
            '$.{{ '_' if is_inline(field) else path_of(field) }}',{{ ' ' }}
        {%- endfor -%}
        '$._unparsed'
    ]) as parsed
    {%- for field in fields if is_inline(field) %},
        {% if path_of(field) is string -%}
            {{ path_of(field) }}
        {%- else -%}
            list_filter(
                json_extract(payload, ['$.{{ path_of(field) | join("', '$.") }}']),
                lambda found: json_type(found) <> 'NULL'
            )[1]
        {%- endif %} as parsed_{{ field[0] }}
    {%- endfor %}
{%- endmacro %}

{# The SQL that reads one JSON value as a kind, null when it does not fit. #}
{% macro read_as(kind, json_value) -%}
    {%- set text = "nullif(trim(" ~ json_value ~ " ->> '$'), '')" -%}
    {%- if kind == 'text' -%}
        case when left({{ json_value }}::varchar, 1) not in ('{', '[') then {{ text }} end
    {%- elif kind == 'integer' -%}
        try_cast({{ text }} as bigint)
    {%- elif kind == 'number' -%}
        try_cast({{ text }} as decimal(18, 2))
    {%- elif kind == 'flag' -%}
        try_cast({{ text }} as boolean)
    {%- elif kind == 'object' -%}
        case when left({{ json_value }}::varchar, 1) = '{' then {{ json_value }} end
    {%- elif kind == 'list' -%}
        case when left({{ json_value }}::varchar, 1) = '[' then {{ json_value }} end
    {%- elif kind == 'time' -%}
        case
            when regexp_matches({{ text }}, '^\d{4}-\d\d-\d\d[T ]')
                then try_cast({{ text }} as timestamptz)
        end
    {%- elif kind == 'rfc2822_time' -%}
        try_strptime({{ text }}, '%a, %d %b %Y %H:%M:%S %z')
    {%- elif kind == 'epoch_time' -%}
        to_timestamp(try_cast({{ text }} as double))
    {%- elif kind == 'birth_date' -%}
        {{ birth_date(text) }}
    {%- else -%}
        {{ exceptions.raise_compiler_error("Unknown kind '" ~ kind ~ "' in a staging model") }}
    {%- endif -%}
{%- endmacro %}

{#
    The typed columns, then `misfits` and `fits`.

    misfits: the fields that were present and did not fit, and the essential ones that were missing.
    fits: false when the payload or an essential field did not fit; such a row feeds quarantine only.
    essential: {column: SQL condition under which the row cannot do without it}.
#}
{% macro typed(fields, essential={}) -%}
    {%- set readable = 'coalesce(is_object and parsed[' ~ (fields | length + 1) ~ '] is null, false)' -%}
    {%- set misfits = [('payload', 'not_an_object', 'not ' ~ readable)] -%}
    {%- for field in fields %}
        {%- set value = 'parsed_' ~ field[0] if is_inline(field) else 'parsed[' ~ loop.index ~ ']' %}
        {%- set written = 'coalesce(trim(' ~ value ~ " ->> '$'), '') <> ''" %}
        {{ read_as(field[1], value) }} as {{ field[0] }},
        {%- do misfits.append((field[0], 'not_' ~ field[1], field[0] ~ ' is null and ' ~ written)) -%}
        {%- if field[0] in essential -%}
            {%- do misfits.append((
                field[0],
                'missing',
                field[0] ~ ' is null and not ' ~ written ~ ' and (' ~ essential[field[0]] ~ ')',
            )) -%}
        {%- endif -%}
    {%- endfor %}
        -- Lists are made for the few rows that need one.
        case
            when {% for misfit in misfits %}{{ 'or ' if not loop.first }}({{ misfit[2] }})
            {% endfor -%}
            then list_filter([
                {%- for misfit in misfits %}
                case when {{ misfit[2] }} then {'field': '{{ misfit[0] }}', 'reason': '{{ misfit[1] }}'} end
                {{- ',' if not loop.last }}
                {%- endfor %}
            ], lambda misfit: misfit is not null)
            else []
        end as misfits,
        {{ readable }}
        {%- for column, condition in essential.items() %}
        and ({{ column }} is not null or not coalesce({{ condition }}, false))
        {%- endfor %} as fits
{%- endmacro %}

{# A birth date as it was written: a year alone means its last day, a month alone its last day. #}
{% macro birth_date(text) -%}
    case
        when regexp_matches({{ text }}, '^\d{4}-\d\d-\d\d($|[T ])')
            then try_cast(left({{ text }}, 10) as date)
        when regexp_matches({{ text }}, '^\d{4}-\d\d$')
            then last_day(try_cast({{ text }} || '-01' as date))
        when regexp_matches({{ text }}, '^\d{4}$')
            then try_cast({{ text }} || '-12-31' as date)
        -- Day or month first: the reading that makes the person younger.
        when regexp_matches({{ text }}, '^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}$')
            then greatest(
                try_strptime(regexp_replace({{ text }}, '[-.]', '/', 'g'), '%d/%m/%Y')::date,
                try_strptime(regexp_replace({{ text }}, '[-.]', '/', 'g'), '%m/%d/%Y')::date
            )
        when regexp_matches({{ text }}, '^\d{1,2}[-/.]\d{1,2}[-/.]\d{2}$')
            then greatest(
                try_strptime(
                    regexp_replace(regexp_replace({{ text }}, '[-.]', '/', 'g'), '/(\d\d)$', '/20\1'),
                    '%d/%m/%Y'
                )::date,
                try_strptime(
                    regexp_replace(regexp_replace({{ text }}, '[-.]', '/', 'g'), '/(\d\d)$', '/20\1'),
                    '%m/%d/%Y'
                )::date
            )
    end
{%- endmacro %}
