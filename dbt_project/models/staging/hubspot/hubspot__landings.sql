with landed as (
    select
        account,
        landing_id,
        received_at,
        case
            when len(try_cast(payload as json) -> '$[*]') > 0
                then try_cast(payload as json) -> '$[*]'
            else [null::json]
        end as items
    from {{ source('hubspot', 'webhooks') }}
),

items as (
    select
        account,
        landing_id,
        received_at,
        unnest(items) as item
    from landed
),

acts as (
    select * from {{ ref('hubspot__acts') }}
)

select
    items.account,
    items.landing_id,
    items.received_at,
    -- What forbids something counts as arrived only when the contact that it names is known.
    case
        when
            acts.is_known
            or (acts.opt_out is null and acts.act <> 'contact.privacyDeletion')
            then 'hubspot:' || acts.account || ':act:' || acts.act_id
    end as reaches
from items
left join acts
    on items.account = acts.account and acts.act_id = {{ hubspot_act_id('items.item') }}
