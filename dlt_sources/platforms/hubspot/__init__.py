"""HubSpot: contacts, their e-mail subscriptions and events in; list membership, properties and withdrawals out.

Contacts come whole from the list endpoint and later by search; subscription_statuses are read for the addresses of the
contacts that changed; events are in the Enterprise plans only.
"""

from datetime import timedelta

from dlt_sources.platform import Credential, Object, Platform
from dlt_sources.platforms.hubspot.tables import LIMITS, TOPICS

# The search index lags behind writes by some minutes.
_LAG = timedelta(minutes=15)

PLATFORM = Platform(
    name="hubspot",
    title="HubSpot",
    documentation="https://developers.hubspot.com/docs/api-reference/overview",
    objects=(
        Object(
            name="contacts",
            key="id",
            updated="properties.lastmodifieddate",
            overlap=_LAG,
            required=("id", "properties.lastmodifieddate", "properties.createdate", "archived"),
            states_consent=True,
        ),
        Object(
            name="subscription_statuses",
            key="contact.id",
            updated="contact.lastmodifieddate",
            overlap=_LAG,
            required=("contact.id", "subscriberIdString", "statuses", "wideStatuses"),
            states_consent=True,
        ),
        Object(
            name="events",
            key="id",
            updated="occurredAt",
            overlap=timedelta(hours=6),
            required=("id", "eventType", "objectId", "occurredAt"),
            optional=True,
        ),
    ),
    credentials=(
        Credential(name="access_token", description="of a private app, a project app or a service key"),
        Credential(name="client_secret", description="of the app; signs its webhooks", required=False),
        Credential(name="api_version", description="a date such as 2026-09, or v3", secret=False, required=False),
        Credential(name="properties", description="further contact properties to pull", secret=False, required=False),
        Credential(name="subscription_types", description="id=topic, of webhooks", secret=False, required=False),
        Credential(name="app_id", description="of a public app, for its webhooks", secret=False, required=False),
        Credential(name="developer_api_key", description="of that app's developer", required=False),
        Credential(name="base_url", description="another address of the API", secret=False, required=False),
    ),
    limits=LIMITS,
    topics=TOPICS,
)
