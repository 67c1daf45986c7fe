{% set ours = var('policies', {}) %}

with policies as (
    select
        policy,
        value
    from {{ ref('policies') }}
),

worlds as (
    {%- if var('cases', false) %}
    select
        world,
        build_id,
        as_of,
        known_at,
        policies
    from {{ source('cases', 'clocks') }}
    {%- else %}
    select
        '' as world,
        build_id,
        as_of,
        known_at,
        map {
        {%- for policy, value in ours.items() %}
            '{{ policy }}': '{{ value }}'{{ ',' if not loop.last }}
        {%- endfor %}
        } as policies
    from {{ source('audiences', 'builds') }}
    qualify row_number() over (order by build_id desc) = 1
    {%- endif %}
)

select
    worlds.world,
    worlds.build_id,
    worlds.as_of,
    worlds.known_at,
    -- The project's own choices stand in place of the defaults.
    map_concat((select map(list(policy), list(value)) from policies), worlds.policies) as policies
from worlds
