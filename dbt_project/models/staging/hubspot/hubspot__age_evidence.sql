with contacts as (
    select
        *,
        'age_verified=' || lower(age_verified) as tag
    from {{ ref('stg_hubspot__contacts') }}
    where fits
),

rules as (
    select * from {{ ref('age_tags') }}
    where platform = 'hubspot' and object = 'contacts'
),

typed_dates as (
    {{ typed_birth_dates('hubspot', 'contact', 'contacts') }}
),

ticks as (
    {{ proving_tags('hubspot', 'contact', 'contacts', 'rules') }}
)

select * from typed_dates
union all by name
select * from ticks
