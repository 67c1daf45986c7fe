{% set asked = questions_asked() if execute and not var('cases', false) else [] %}

with asked (world, channel, purpose, topic, sender, product_category, policy) as (
    {%- if asked %}
    values
    {%- for question in asked %}
    ('', {{ question }}){{ ',' if not loop.last }}
    {%- endfor %}
    {%- elif var('cases', false) %}
    select
        world,
        channel,
        purpose,
        topic,
        sender,
        product_category,
        policy
    from {{ source('cases', 'questions') }}
    {%- else %}
    select
        unnest([]::varchar[]),
        '',
        '',
        '',
        '',
        '',
        ''
    {%- endif %}
),

clock as (
    select * from {{ ref('clock') }}
),

kinds as (
    select * from {{ ref('channel_kinds') }}
)

select distinct
    clock.world,
    clock.world || concat_ws(
        '|', asked.channel, asked.purpose, asked.topic, asked.sender, asked.product_category,
        asked.policy
    ) as question_id,
    asked.channel,
    asked.purpose,
    asked.topic,
    asked.sender,
    asked.product_category,
    asked.policy,
    -- What an ad platform matches on is decided as the e-mail address is.
    case kinds.identifier_type
        when 'any' then 'email'
        else kinds.identifier_type
    end as identifier_type,
    clock.as_of,
    clock.known_at
from asked
inner join clock on asked.world = clock.world
left join kinds on asked.channel = kinds.channel
