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
            '{{ policy }}': '{{ as_policy(value) }}'{{ ',' if not loop.last }}
        {%- endfor %}
        } as policies
    from {{ source('audiences', 'builds') }}
    qualify row_number() over (order by build_id desc) = 1
    {%- endif %}
),

-- Without a choice of the project's own, the countries that the configured accounts sell to.
markets as (
    select
        case
            when count(*) > 0
                then map(['markets'], [string_agg(distinct market, ',' order by market)])
            else map([]::varchar[], []::varchar[])
        end as policies
    from (select unnest(markets) as market from {{ source('audiences', 'accounts') }}) as accounts
)

select
    worlds.world,
    worlds.build_id,
    worlds.as_of,
    worlds.known_at,
    -- What is chosen stands in place of the defaults.
    map_from_entries(list_sort(map_entries(map_concat(
        (select map(list(policy), list(value)) from policies),
        (select policies from markets),
        worlds.policies
    )))) as policies
from worlds
