with shown as (
    select
        *,
        split_part(lower(value), '=', -1) in ('true', 'false', '1', '0') as is_yes_or_no,
        lag(value) over (
            partition by
                account, platform, record_id, identifier, field, split_part(value, '=', -2), detail,
                topic, channel, purpose, sender
            order by recorded_at, fact_id
        ) as former_value
    from {{ source('cases', 'statuses') }}
    -- A value that is missing changes nothing.
    where value is not null
),

-- A yes-or-no field without a time of its own that shows the same again is no new act.
told as (
    select * from shown
    where not is_yes_or_no or valid_lo is not null or former_value is distinct from value
),

records as (
    select * from {{ source('cases', 'records') }}
),

-- What a platform says of a record, it says of the address or number that this had then.
statuses as (
    select
        told.* exclude (identifier),
        coalesce(told.identifier, case
            when kinds.identifier_type = 'phone' then records.phone else records.email
        end) as identifier,
        told.identifier is null as is_of_record
    from told
    left join {{ ref('channel_kinds') }} as kinds on told.channel = kinds.channel
    left join records
        on
            told.account = records.account
            and told.platform = records.platform
            and told.record_id = records.record_id
    qualify row_number() over (
        partition by told.world, told.fact_id
        order by
            coalesce(records.valid_hi <= coalesce(told.valid_hi, told.recorded_at), false) desc,
            case
                when records.valid_hi <= coalesce(told.valid_hi, told.recorded_at)
                    then epoch_us(records.valid_hi)
                else -epoch_us(records.valid_hi)
            end desc
    ) = 1
),

vocabulary as (
    select * from {{ ref('platform_values') }}
),

-- The row that names value and detail, else the value, else any value.
matched as (
    select
        statuses.*,
        vocabulary.value is not null as is_known,
        vocabulary.state as read_state,
        vocabulary.suppression_kind,
        vocabulary.method as read_method,
        vocabulary.channel as of_channel,
        vocabulary.scope,
        vocabulary.evidence as is_evidence,
        vocabulary.actor as of_actor
    from statuses
    left join vocabulary
        on
            statuses.platform = vocabulary.platform
            and statuses.field = vocabulary.field
            and vocabulary.value in (statuses.value, '*')
            and vocabulary.detail in (statuses.detail, '*')
            and {{ in_force('vocabulary', 'statuses.recorded_at') }}
    qualify row_number() over (
        partition by statuses.world, statuses.fact_id
        order by vocabulary.value = '*', vocabulary.detail = '*'
    ) = 1
)

select
    * exclude (evidence) replace (
        -- What is wider than a list closes all lists, whichever it was seen beside.
        case
            when
                coalesce(read_state, 'withdrawn') in ('withdrawn', 'hold')
                and suppression_kind is null
                and coalesce(scope, 'channel_all') not in ('topic', 'sender')
                then '*'
            else topic
        end as topic
    ),
    case
        when contains(identifier, '@') then 'email'
        when identifier is not null then 'phone'
        when coalesce(channel, of_channel) in ('sms', 'mms', 'whatsapp', 'voice') then 'phone'
        else 'email'
    end as identifier_type,
    case
        -- What closes a record closes all that it shows.
        when
            is_of_record
            and (
                suppression_kind is not null
                or coalesce(read_state, 'withdrawn') in ('withdrawn', 'erased', 'hold')
            )
            then null
        when contains(identifier, '@') then {{ told_email('identifier') }}
        else {{ told_phone('identifier') }}
    end as identifier_key,
    case when is_known then read_state else 'withdrawn' end as state,
    case when is_known then coalesce(told_method, read_method) else 'unseen_value' end as method,
    coalesce(channel, of_channel) as read_channel,
    coalesce(evidence, false) or coalesce(is_evidence, false) as has_evidence,
    -- The first look at a yes-or-no field shows that it was so, and nothing of who did it.
    case
        when actor is not null then actor
        when
            former_value is null
            and (valid_lo is null or valid_lo is distinct from valid_hi)
            and is_yes_or_no
            then 'import'
        else coalesce(of_actor, 'unknown')
    end as read_actor
from matched
