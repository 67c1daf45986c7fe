with clock as (
    select
        world,
        as_of,
        to_months({{ policy('jurisdiction_window_months') }}::integer) as shipments_count_for
    from {{ ref('clock') }} as clock
),

signals as (
    select * from {{ ref('place_signals') }}
),

placed as (
    select
        signals.*,
        -- What a record shows is so now; where goods went is so for a while.
        signals.preference > 1
        or signals.known_at > clock.as_of - clock.shipments_count_for as is_recent,
        case
            when signals.preference = 1 then signals.known_at + clock.shipments_count_for
        end as recedes_at,
        -- Of several that are equally new each counts.
        rank() over (
            partition by signals.person_id order by signals.preference, signals.known_at desc
        ) as place
    from signals
    inner join clock on signals.world = clock.world
),

-- A signal that names no region says nothing against one that does.
counting as (
    select
        * replace (
            rank() over (
                partition by person_id order by preference, known_at desc
            ) as place
        ),
        row_number() over (
            partition by person_id order by preference, known_at desc, country, region
        ) = 1 as leads
    from (
        select *
        from placed
        where place = 1 or is_recent
        qualify
            region is not null
            or not bool_or(region is not null) over (partition by person_id, country)
    ) as precise
)

select
    person_id,
    world,
    country,
    region,
    min(preference) as preference,
    max(known_at) as known_at,
    bool_or(leads) as is_first,
    case when not bool_or(place = 1 or recedes_at is null) then max(recedes_at) end as recedes_at
from counting
group by person_id, world, country, region
