with facts as (
    {{ closing_facts() }}
),

fact_keys as (
    select
        fact_id,
        unnest(suppression_keys) as key
    from facts
),

shown as (
    select
        key,
        record_key
    from (
        select
            record_key,
            unnest(blocked_by) as key
        from {{ ref('identity_keys') }}
        where may_join
    ) as unnested
    where key in (select key from fact_keys) and not contains(key, 'phone_end:')
),

components as (
    select * from {{ ref('identity_components') }}
),

-- A key that joins nobody reaches whoever shows it, and no further.
circles as (
    select distinct
        shown.key,
        components.circle
    from shown
    inner join components on shown.record_key = components.record_key
    anti join {{ ref('shared_keys') }} as shared on shown.key = shared.key
)

select
    fact_keys.fact_id,
    circles.circle
from fact_keys
inner join circles on fact_keys.key = circles.key
union
select
    facts.fact_id,
    components.circle
from facts
inner join {{ ref('person_records') }} as records
    on
        facts.platform = records.platform
        and facts.account = records.account
        and facts.record_id = records.record_id
inner join components on records.record_key = components.record_key
