{#
    Identifiers as platforms tell them: each in its plain spelling where that is beyond doubt, else as written.

    No key yet: what a text certainly is, and whatever it may mean, is in `identifier_keys`, found by this text.
#}

{# An e-mail address as told: trimmed, and in lower case where all its characters are plain ones. #}
{% macro told_email(column) -%}
    case
        when regexp_full_match(trim({{ column }}), '[!-~]+') then lower(trim({{ column }}))
        else nullif(trim({{ column }}), '')
    end
{%- endmacro %}

{# A phone number as told: without spaces, dashes, dots and parentheses where E.164 is left, else trimmed. #}
{% macro told_phone(column) -%}
    case
        when
            regexp_full_match(
                regexp_replace({{ column }}, '[\s().-]', '', 'g'), '\+[1-9][0-9]{6,14}'
            )
            and not contains({{ column }}, '(0')
            then regexp_replace({{ column }}, '[\s().-]', '', 'g')
        else nullif(trim({{ column }}), '')
    end
{%- endmacro %}

{# The countries by whose rules a number as told may be read, as one text; a number with its country code needs none. #}
{% macro read_in(told, countries) -%}
    case
        when starts_with({{ told }}, '+') then ''
        else array_to_string(list_sort(list_distinct(list_filter(
            [{{ countries | join(', ') }}], lambda country: country <> ''
        ))), ',')
    end
{%- endmacro %}

{# Keys of one world, so that they meet none of another. #}
{% macro in_world(world, keys) -%}
    case
        when {{ world }} = '' then {{ keys }}
        else list_transform({{ keys }}, lambda one: {{ world }} || one)
    end
{%- endmacro %}

{#
    The ids of other systems that a record's custom fields carry, as `platform:account:id`.

    fields: JSON object from `platform:account` to the name of a custom field; properties: JSON object
    of the custom fields. A name is looked up as a JSON pointer, since it may hold dots. What a form
    or a mapping leaves behind in place of an id would join strangers, so it is none.
#}
{% macro external_keys(fields, properties) -%}
    list_transform(
        list_filter(
            list_transform(
                coalesce(json_keys({{ fields }}), []),
                lambda holder: {
                    'holder': holder,
                    'id': trim({{ properties }} ->> (
                        '/' || replace(replace({{ fields }} ->> ('/' || holder), '~', '~0'), '/', '~1')
                    ))
                }
            ),
            lambda found:
                found.id <> ''
                and left(found.id, 1) not in ('{', '[')
                and lower(found.id) not in ('x', 'null', 'undefined', 'none')
        ),
        lambda found: found.holder || ':' || found.id
    )
{%- endmacro %}

{# The countries by whose rules an identifier as told, of a row whose account is known, may be read. #}
{% macro read_by_account(told, accounts) -%}
    case {{ told }}.identifier_type
        when 'phone' then {{ read_in(told ~ '.identifier', [accounts ~ '.default_region']) }}
        else ''
    end
{%- endmacro %}
