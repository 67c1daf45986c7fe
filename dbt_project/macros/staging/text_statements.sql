{#
    What a text states, as two rows for each of `texts`: its part, purpose and whom it was spoken_to.

    A stop to one sender ends the marketing of all of them, a start opens that of the sender it was
    sent to. What must be told is stopped, and opened again, for that sender alone: the second part,
    whose id ends with `suffix`.
#}
{% macro text_statements(texts, suffix) -%}
select
    *,
    unnest([
        struct_pack(
            part := '',
            purpose := 'marketing',
            spoken_to := if(state = 'withdrawn', '*', sender)
        ),
        struct_pack(part := '{{ suffix }}', purpose := 'transactional', spoken_to := sender)
    ], recursive := true)
from {{ texts }}
where state is not null
{%- endmacro %}
