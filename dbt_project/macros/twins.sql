{# What a twin must say, and which values it may take; none means any text. #}
{% macro twin_keys() %}
    {{ return({
        'channel': ['email', 'sms', 'none'],
        'purpose': ['marketing', 'transactional', 'suppression'],
        'topic': none,
        'product_category': ['none', 'alcohol', 'vape', 'tobacco', 'cannabis', 'adult'],
        'destinations': none,
    }) }}
{% endmacro %}

{# What is wrong with a segment's twin, each with what to write; empty when all is well. #}
{% macro twin_faults(segment) %}
    {%- set faults = [] -%}
    {%- set meta = segment.config.meta or {} -%}
    {%- set audience = meta.get('audience') -%}
    {%- for key in ['owner', 'rule'] if not meta.get(key) -%}
        {%- do faults.append(
            'config.meta.' ~ key ~ ' is missing. Write "' ~ key ~ ': ' ~ (
                'lifecycle' if key == 'owner' else 'the rule in plain words'
            ) ~ '".'
        ) -%}
    {%- endfor -%}
    {%- if audience is not mapping -%}
        {%- do faults.append(
            'config.meta.audience is missing. Write its keys: ' ~ twin_keys() | join(', ') ~ '.'
        ) -%}
    {%- else -%}
        {%- for key, allowed in twin_keys().items() -%}
            {%- set value = audience.get(key) -%}
            {%- if value is none or value == '' -%}
                {%- do faults.append(
                    'config.meta.audience.' ~ key ~ ' is missing. Write ' ~ (
                        '"' ~ key ~ ': ' ~ allowed | join('" or "' ~ key ~ ': ') ~ '".' if allowed
                        else 'a list of {platform, account, list or tag or property}, or [].'
                        if key == 'destinations' else '"' ~ key ~ ': marketing".'
                    )
                ) -%}
            {%- elif allowed and value not in allowed -%}
                {%- do faults.append(
                    'config.meta.audience.' ~ key ~ ' is "' ~ value ~ '". Write one of: '
                    ~ allowed | join(', ') ~ '.'
                ) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- for destination in audience.get('destinations') or [] -%}
            {%- set targets = ['list', 'tag', 'property'] | select('in', destination) | list -%}
            {%- if not destination.get('platform') or not destination.get('account')
                or targets | length != 1 -%}
                {%- do faults.append(
                    'config.meta.audience.destinations[' ~ loop.index0 ~ '] needs platform, account '
                    ~ 'and one of list, tag or property.'
                ) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set share = audience.get('holdout', 0) -%}
        {%- if share is not number or share < 0 or share > 1 -%}
            {%- do faults.append(
                'config.meta.audience.holdout is "' ~ share ~ '". Write a share from 0 to 1.'
            ) -%}
        {%- endif -%}
        {%- for key in ['leave_on', 'enter_on'] -%}
            {%- set events = audience.get(key, []) -%}
            {%- if events is string or events is mapping or events is not sequence -%}
                {%- do faults.append(
                    'config.meta.audience.' ~ key ~ ' is not a list. Write "' ~ key
                    ~ ': [order_placed]".'
                ) -%}
            {%- elif key == 'enter_on' and audience.get('purpose') != 'suppression' -%}
                {%- for name in event_names(events) if name[:4] == 'tag:' -%}
                    {%- do faults.append(
                        'config.meta.audience.enter_on names "' ~ name ~ '". Who calls a URL may take '
                        ~ 'people out, not add them to what is sent.'
                    ) -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if (audience.get('purpose') == 'suppression') != (audience.get('channel') == 'none') -%}
            {%- do faults.append(
                'config.meta.audience.channel is "' ~ audience.get('channel') ~ '". Write "channel: none" '
                ~ 'with "purpose: suppression", and with nothing else.'
            ) -%}
        {%- elif audience.get('purpose') == 'suppression' -%}
            {%- for key in ['leave_on', 'holdout', 'send_event'] if audience.get(key) -%}
                {%- do faults.append(
                    'config.meta.audience.' ~ key ~ ' has no meaning with "purpose: suppression". Remove it.'
                ) -%}
            {%- endfor -%}
            {%- if audience.get('product_category') != 'none' -%}
                {%- do faults.append(
                    'config.meta.audience.product_category must be none with "purpose: suppression".'
                ) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(faults) }}
{% endmacro %}

{# Event names as customer_events has them: a tag (tag:Buyer) in any case is the same tag. #}
{% macro event_names(names) %}
    {%- set found = [] -%}
    {%- for name in names or [] -%}
        {%- do found.append(
            'tag:' ~ name[4:].strip().casefold() if name[:4].lower() == 'tag:' else name
        ) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{# The parts of the question that an audience asks, in the order of the columns of `questions`. #}
{% macro question_parts(audience) %}
    {{ return([
        audience.channel,
        audience.purpose,
        audience.topic,
        audience.get('sender') or 'any',
        audience.product_category,
        audience.get('policy') or 'default',
    ]) }}
{% endmacro %}

{# The distinct questions to decide, as SQL literals: those of all segments whose twin is sound, and
   those of the last good audiences of the others, which must still lose whoever has to go. #}
{% macro questions_asked() %}
    {%- set asked = [] -%}
    {%- set sound = [] -%}
    {%- for node in graph.nodes.values() | sort(attribute='unique_id') -%}
        {%- if node.resource_type == 'model' and node.fqn[1] == 'segments'
            and not twin_faults(node) -%}
            {%- do sound.append(node.name) -%}
            {%- do asked.append(question_parts(node.config.meta.audience)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set audiences = run_query(
        "select table_name from information_schema.tables where table_schema = 'audiences' order by 1"
    ) -%}
    {%- for name in audiences.columns[0].values() if name not in sound -%}
        {%- set kept = run_query('select distinct question_id from audiences.' ~ name ~ ' order by 1') -%}
        {%- for question in kept.columns[0].values() -%}
            {%- do asked.append(question.split('|')) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set literals = [] -%}
    {%- for parts in asked -%}
        {%- do literals.append("'" ~ parts | join('\n') | replace("'", "''") | replace('\n', "', '") ~ "'") -%}
    {%- endfor -%}
    {{ return(literals | unique | list) }}
{% endmacro %}
