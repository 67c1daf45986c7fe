-- Everybody who shows an identifier, or once showed a spelling of it; by whatever many people
-- share, only who shows that very one.
with users as (
    select
        user_id,
        any_value(person_id) as person_id,
        any_value(world) as world,
        bool_or(is_named) as is_named
    from {{ ref('record_users') }}
    group by user_id
),

shown as (
    select
        records.user_id,
        keys.key_type,
        keys.target_key,
        keys.own_key,
        keys.is_current and keys.is_live and keys.target_key is not null as is_held,
        unnest(keys.suppression_keys) as key
    from {{ ref('identity_keys') }} as keys
    inner join {{ ref('record_users') }} as records on keys.record_key = records.record_key
),

held as (
    select distinct
        key_type,
        target_key,
        own_key,
        key
    from shown
    where is_held
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

linked as (
    select distinct
        held.key_type,
        held.target_key,
        shown.user_id
    from held
    semi join joining on held.key = joining.key
    inner join shown on held.key = shown.key
    union
    select distinct
        held.key_type,
        held.target_key,
        shown.user_id
    from held
    semi join crowded on held.key = crowded.key
    inner join shown on held.key = shown.key and held.own_key = shown.own_key
    where held.key = held.own_key
    union
    select distinct
        key_type,
        target_key,
        user_id
    from shown
    where is_held
),

-- Somebody without a name is nobody else beside one who has one.
known as (
    select
        linked.key_type as identifier_type,
        linked.target_key as identifier,
        users.world,
        linked.user_id
    from linked
    inner join users on linked.user_id = users.user_id
    qualify
        users.is_named
        or not bool_or(users.is_named) over (partition by linked.key_type, linked.target_key)
    union all
    -- Some questions are about people as such, whatever their identifiers.
    select
        'person' as identifier_type,
        person_id as identifier,
        world,
        user_id
    from users
),

counted as (
    select
        identifier_type,
        identifier,
        count(*) as user_count
    from known
    group by identifier_type, identifier
)

select
    known.identifier_type,
    known.identifier,
    known.world,
    known.user_id,
    -- Who is the only one to use several identifiers is judged once.
    case
        when counted.user_count = 1 then known.user_id
        else known.identifier_type || ':' || known.identifier
    end as readers_id
from known
inner join counted
    on known.identifier_type = counted.identifier_type and known.identifier = counted.identifier
