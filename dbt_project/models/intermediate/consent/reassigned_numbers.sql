select
    identifier,
    max(disconnected_on) as since
from {{ ref('registry_findings') }}
where disconnected_on is not null
group by identifier
