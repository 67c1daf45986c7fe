with told as (
    {%- if var('cases', false) %}
    select
        world,
        world || reviewed_id as reviewed_id,
        verdict,
        recorded_at
    from {{ source('cases', 'reviews') }}
    {%- else %}
    select
        '' as world,
        reviewed_id,
        verdict,
        recorded_at
    from {{ source('audiences', 'reviews') }}
    {%- endif %}
)

-- Of two verdicts, stop counts.
select
    told.world,
    told.reviewed_id,
    min(told.recorded_at) as reviewed_at,
    min(told.recorded_at) filter (where told.verdict = 'stop') as stopped_at
from told
inner join {{ ref('clock') }} as clock on told.world = clock.world
where told.verdict in ('stop', 'no_stop') and told.recorded_at <= clock.known_at
group by told.world, told.reviewed_id
