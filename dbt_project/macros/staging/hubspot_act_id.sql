{#
    Names one act of a HubSpot webhook body again when it is delivered again, in whatever batch.

    Attempts count on and the platform's event id is not unique, so the id is made of what the act says.
#}
{% macro hubspot_act_id(item) -%}
    case
        when ({{ item }} ->> '$.objectId') <> '' and ({{ item }} ->> '$.occurredAt') <> ''
            then md5(array_to_string(json_extract_string({{ item }}, [
                '$.portalId', '$.subscriptionId', '$.subscriptionType', '$.eventType', '$.objectId',
                '$.occurredAt', '$.propertyName', '$.propertyValue', '$.eventId'
            ]), '|'))
    end
{%- endmacro %}
