with clock as (
    select * from {{ ref('clock') }}
),

{%- if var('cases', false) %}

refused as (
    select distinct
        world,
        reviewed_id
    from {{ source('cases', 'reviews') }}
    where verdict = 'other_person'
),
{%- endif %}

told as (
    {%- if var('cases', false) %}
    select
        links.world,
        links.fact_id as link_id,
        links.record_key,
        links.other_record_key,
        links.reason,
        links.retracted or refused.reviewed_id is not null as retracted,
        links.recorded_at
    from {{ source('cases', 'links') }} as links
    left join refused
        on links.world = refused.world and links.fact_id = refused.reviewed_id
    {%- else %}
    select
        '' as world,
        link_id,
        left_platform || ':' || left_account || ':' || left_record_id as record_key,
        right_platform || ':' || right_account || ':' || right_record_id as other_record_key,
        'by_hand' as reason,
        verdict = 'unmerge' as retracted,
        recorded_at
    from {{ source('audiences', 'links') }}
    {%- endif %}
)

-- The last word on two records, whichever of them was named first.
select
    told.world || told.link_id as link_id,
    told.world,
    told.record_key,
    told.other_record_key,
    told.reason,
    told.retracted,
    told.recorded_at
from told
inner join clock on told.world = clock.world
where told.recorded_at <= clock.known_at
qualify row_number() over (
    partition by
        told.reason,
        least(told.record_key, told.other_record_key),
        greatest(told.record_key, told.other_record_key)
    order by told.recorded_at desc, told.link_id desc
) = 1
