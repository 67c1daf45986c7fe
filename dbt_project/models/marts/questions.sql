{% set asked = questions_asked() if execute else [] %}

with asked (channel, purpose, topic, sender, product_category, policy) as (
    {%- if asked %}
    values
    {%- for question in asked %}
    ({{ question }}){{ ',' if not loop.last }}
    {%- endfor %}
    {%- else %}
    select
        unnest([]::varchar[]),
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

select
    concat_ws(
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
cross join clock
