{% if var('cases', false) -%}
select
    world,
    build_id,
    as_of,
    known_at
from {{ source('cases', 'clocks') }}
{%- else -%}
select
    '' as world,
    build_id,
    as_of,
    known_at
from {{ source('audiences', 'builds') }}
qualify row_number() over (order by build_id desc) = 1
{%- endif %}
