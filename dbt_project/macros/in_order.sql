{#
    A number that sorts as the time does, and by a hash of the id where times are equal. The newest of
    many by `max` of it costs a number per group, where `arg_max` would keep texts in memory.
#}
{% macro in_order(time, id) -%}
    epoch_us(coalesce({{ time }}, timestamptz '0001-01-01 00:00:00+00'))::hugeint * 18446744073709551616::hugeint
    + hash({{ id }})::hugeint
{%- endmacro %}

{# The hash of the id that such a number ends with. #}
{% macro hash_in(number) -%}
    ({{ number }} & 18446744073709551615::hugeint)::ubigint
{%- endmacro %}
