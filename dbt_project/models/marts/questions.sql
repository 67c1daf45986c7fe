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
    clock.as_of,
    clock.known_at
from asked
inner join clock on asked.world = clock.world
