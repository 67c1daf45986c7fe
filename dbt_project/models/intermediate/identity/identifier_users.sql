-- Everybody who shows an identifier, or once showed a spelling of it; by whatever many people
-- share, only who shows that very one.
with records as (
    select * from {{ ref('record_users') }}
),

keys as (
    select
        records.user_id,
        keys.world,
        keys.key_type,
        keys.target_key,
        keys.own_key,
        keys.suppression_keys,
        keys.is_current and keys.is_live and keys.target_key is not null as is_held
    from {{ ref('identity_keys') }} as keys
    inner join records on keys.record_key = records.record_key
),

shown as (
    select
        * exclude (suppression_keys),
        unnest(suppression_keys) as key
    from keys
),

several as (
    select shown.key
    from shown
    where not contains(shown.key, 'phone_end:')
    group by shown.key
    having min(shown.user_id) <> max(shown.user_id)
),

joining as (
    select several.key
    from several
    anti join {{ ref('shared_keys') }} as shared on several.key = shared.key
),

crowded as (
    select several.key
    from several
    semi join {{ ref('shared_keys') }} as shared on several.key = shared.key
),

together as (
    select shown.*
    from shown
    semi join joining on shown.key = joining.key
    union all
    select shown.*
    from shown
    semi join crowded on shown.key = crowded.key
    where shown.key = shown.own_key
),

held as (
    select distinct
        world,
        key_type,
        target_key,
        key
    from together
    where is_held
),

linked as (
    select distinct
        held.world,
        held.key_type,
        held.target_key,
        together.user_id
    from held
    inner join together on held.key = together.key
),

named as (
    select distinct user_id
    from records
    where is_named
),

parts as (
    select distinct
        records.world,
        records.person_id,
        records.user_id,
        named.user_id is not null as is_named
    from records
    left join named on records.user_id = named.user_id
    where records.user_id <> records.person_id
),

-- Some questions are about people as such, whatever their identifiers.
asked as (
    select
        linked.*,
        named.user_id is not null as is_named
    from linked
    left join named on linked.user_id = named.user_id
    union all
    select
        world,
        'person' as key_type,
        person_id as target_key,
        user_id,
        is_named
    from parts
),

-- Somebody without a name is nobody else beside one who has one.
known as (
    select * exclude (is_named)
    from asked
    qualify
        is_named or not bool_or(is_named) over (partition by key_type, target_key)
),

counted as (
    select
        *,
        count(*) over (partition by key_type, target_key) as user_count
    from known
)

select
    key_type as identifier_type,
    target_key as identifier,
    world,
    user_id,
    -- Who is the only one to use several identifiers is judged once.
    case when user_count = 1 then user_id else key_type || ':' || target_key end as readers_id
from counted
union all
select distinct
    keys.key_type as identifier_type,
    keys.target_key as identifier,
    keys.world,
    keys.user_id,
    keys.user_id as readers_id
from keys
anti join linked on keys.key_type = linked.key_type and keys.target_key = linked.target_key
where keys.is_held
union all
select distinct
    'person' as identifier_type,
    person_id as identifier,
    world,
    user_id,
    user_id as readers_id
from records
where user_id = person_id
