with profiles as (
    select * from {{ ref('stg_klaviyo__profiles') }}
    where fits
)

{{ typed_birth_dates('klaviyo', 'profile', 'profiles') }}
