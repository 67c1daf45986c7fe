{# The narrow e-mail key: trimmed lower case, null unless it has the plain form of an address. #}
{% macro email_key(column) -%}
    case
        when regexp_full_match(trim({{ column }}), '[^@\s]+@[^@\s]+\.[^@\s]+')
            then lower(trim({{ column }}))
    end
{%- endmacro %}

{# The narrow phone key: E.164 once spaces, dashes, dots and parentheses are gone, else null. #}
{% macro phone_key(column) -%}
    case
        when regexp_full_match(
            regexp_replace({{ column }}, '[\s().-]', '', 'g'), '\+[1-9][0-9]{6,14}'
        ) then regexp_replace({{ column }}, '[\s().-]', '', 'g')
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
