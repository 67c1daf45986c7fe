with clock as (
    select
        world,
        {{ policy('us_email_requires_grant') }} = 'true' as us_email_needs_grant,
        string_split({{ policy('ads_require_grant') }}, ',') as ads_need_grant_in
    from {{ ref('clock') }} as clock
),

places as (
    select
        *,
        case when country in {{ european_union() }} then 'EU' else country end as place_of_law
    from {{ ref('readers_places') }}
)

-- Where several places count, or none is known, the strictest law does.
select
    places.readers_id,
    places.world,
    bool_or(
        places.country is distinct from 'US' or clock.us_email_needs_grant
    ) as email_needs_grant,
    bool_or(
        places.country is null
        or list_contains(clock.ads_need_grant_in, places.place_of_law)
    ) as ads_need_grant,
    bool_or(places.country is distinct from 'US') as needs_express,
    bool_or(places.country is null) as is_place_unknown,
    bool_or(places.country is null or places.country = 'US') as may_be_us
from places
inner join clock on places.world = clock.world
group by places.readers_id, places.world
