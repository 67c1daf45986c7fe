{#
    What texts say: CTEs from `worded` to `heard`, over a CTE `texts`.

    `texts` has account, message_sid, inbound, body, opt_out_type (the platform's own verdict),
    error_code, from_address, to_address and occurred_at.
#}
{% macro heard_texts() %}
worded as (
    select
        *,
        case when inbound then from_address else to_address end as address,
        case when inbound then to_address else from_address end as own_address,
        case
            when inbound
                then coalesce(
                    case when opt_out_type in ('STOP', 'START') then opt_out_type end,
                    upper(regexp_replace(strip_accents(body), '[^\p{L}\p{N}]', '', 'g'))
                )
        end as word,
        case
            when inbound
                then regexp_replace(
                    regexp_replace(lower(strip_accents(body)), '[''’`]', '', 'g'),
                    '[^a-z0-9]+', ' ', 'g'
                )
        end as wording,
        case when starts_with(own_address, 'whatsapp:') then 'whatsapp' else 'sms' end as channel
    from texts
),

spoken as (
    select
        worded.*,
        case when error.state is not null then 'error' else 'keyword' end as field,
        coalesce(
            error.state,
            case words.reading
                when 'stop' then 'withdrawn'
                when 'start' then 'granted'
                when 'start_after_stop' then 'granted'
            end
        ) as state,
        coalesce(error.method, 'keyword') as method,
        words.reading
    from worded
    left join {{ ref('platform_values') }} as error
        on
            error.platform = 'twilio'
            and error.field = 'error'
            and not worded.inbound
            and worded.error_code = error.value
            and {{ in_force('error', 'worded.occurred_at') }}
    -- Some words are of two languages.
    left join
        (
            select distinct
                word,
                reading,
                effective_from,
                effective_to
            from {{ ref('stop_words') }}
        ) as words
        on worded.word = words.word and {{ in_force('words', 'worded.occurred_at') }}
),

-- A word that only counts after a stop to the same sender, such as YES, is chatter otherwise.
heard as (
    select
        *,
        max(case when state = 'withdrawn' then occurred_at end) over (
            partition by account, address, own_address
            order by occurred_at, message_sid
            rows between unbounded preceding and 1 preceding
        ) is not null as after_stop
    from spoken
)
{% endmacro %}
