select distinct
    records.person_id,
    records.world,
    components.circle
from {{ ref('person_records') }} as records
inner join {{ ref('identity_components') }} as components
    on records.record_key = components.record_key
