"""Shopify: customers with consent and metafields, and orders, in; tags and withdrawals out.

GET customers.json (+ one GraphQL look-up of metafields per page) → customers, GET orders.json → orders. REST is the
platform's legacy door, kept because its customer object carries both consents whole at one call per 250 people.
"""

from dlt_sources.platform import Credential, Object, Platform
from dlt_sources.platforms.shopify.tables import LIMITS, TOPICS

PLATFORM = Platform(
    name="shopify",
    title="Shopify",
    documentation="https://shopify.dev/docs/api/admin",
    objects=(
        Object(name="customers", key="id", updated="updated_at", required=("id", "updated_at"), states_consent=True),
        Object(name="orders", key="id", updated="updated_at", required=("id", "created_at", "line_items")),
    ),
    credentials=(
        Credential(name="shop", description="the shop's myshopify name", secret=False, unless=("base_url",)),
        Credential(name="access_token", description="Admin API token", unless=("client_id", "client_secret")),
        Credential(name="client_id", description="of the app, for the client-credentials grant", required=False),
        Credential(name="client_secret", description="of the app; also signs its webhooks", required=False),
        Credential(name="webhook_secret", description="signs webhooks, if not client_secret", required=False),
        Credential(name="metafields", description="customer metafields to pull", secret=False, required=False),
        Credential(name="base_url", description="another address of the shop", secret=False, required=False),
    ),
    limits=LIMITS,
    topics=TOPICS,
)
