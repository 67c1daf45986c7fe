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
