"""Klaviyo: profiles with their subscriptions, events and metrics in; list membership and withdrawals out.

GET /api/profiles → profiles, GET /api/events → events (a metric by id only), GET /api/metrics → metrics (names).
"""

from datetime import timedelta

from dlt_sources.platform import Credential, Object, Platform
from dlt_sources.platforms.klaviyo.tables import LIMITS, TOPICS

PLATFORM = Platform(
    name="klaviyo",
    title="Klaviyo",
    documentation="https://developers.klaviyo.com/en/reference/api_overview",
    objects=(
        Object(
            name="profiles",
            key="id",
            updated="attributes.updated",
            required=("id", "attributes", "attributes.subscriptions"),
            states_consent=True,
        ),
        # Events may be logged late with an earlier time; the filter knows their own time only.
        Object(
            name="events",
            key="id",
            updated="attributes.datetime",
            overlap=timedelta(hours=6),
            required=("id", "attributes.datetime", "relationships.metric.data.id"),
        ),
        Object(name="metrics", key="id", updated=None, required=("id", "attributes.name")),
    ),
    credentials=(
        Credential(name="api_key", description="private API key (pk_…) with the scopes of the README"),
        Credential(name="webhook_secret", description="secret_key of the webhook subscription", required=False),
        Credential(name="revision", description="API revision, if not ours", secret=False, required=False),
        Credential(name="base_url", description="another address of the API", secret=False, required=False),
    ),
    limits=LIMITS,
    topics=TOPICS,
)
