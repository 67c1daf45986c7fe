"""Shopify's webhook subscriptions, by GraphQL (https://shopify.dev/docs/api/admin-graphql/latest/queries/webhookSubscriptions).

The API knows the subscriptions that this app made for this shop by API. It does not show those of the app's own file
(`shopify.app.toml`) nor those that somebody made in the shop's admin.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, SetAside
from dlt_sources.outcomes import redacted
from dlt_sources.platforms.shopify.client import graphql, session
from dlt_sources.platforms.shopify.tables import TOPICS
from dlt_sources.subscriptions import Subscription

BY_HAND = (
    "The API neither shows nor makes subscriptions of the app's own file: customers/redact, customers/data_request and "
    "shop/redact stand in shopify.app.toml under [webhooks.privacy_compliance] (or in the Partner Dashboard). Topics "
    "that stand there too are delivered twice, which is harmless."
)
#: Not subscribable by API: the compliance topics, and spellings that occur in the documentation only.
_ELSEWHERE = frozenset(
    (
        *("customers/redact", "customers/data_request", "shop/redact"),
        *("customers/email_marketing_consent_update", "customers/marketing_consent_update"),
    )
)
_LIST = """
query audiencesSubscriptions($after: String) {
  webhookSubscriptions(first: 100, after: $after) {
    nodes { topic uri format filter }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_CREATE = """
mutation audiencesSubscribe($topic: WebhookSubscriptionTopic!, $url: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $url, format: JSON}) {
    userErrors { field message }
  }
}
"""


def wanted(account: Account) -> Sequence[str]:
    """Every declared topic that can be subscribed by API."""
    return [topic.topic for topic in TOPICS if topic.topic not in _ELSEWHERE]


def listed(account: Account) -> Sequence[Subscription]:
    """What this app subscribed to by API; a filter means that only some of a topic's events come."""
    # Two spellings of a topic are one name in GraphQL: the one that deliveries carry.
    names = {_enum(topic): topic for topic in wanted(account)}
    found: list[Subscription] = []
    with session(account) as opened:
        after: str | None = None
        while True:
            page = graphql(opened, _LIST, {"after": after}, object="subscriptions")["webhookSubscriptions"]
            for node in page["nodes"]:
                detail = f"only where {node['filter']}" if node["filter"] else ""
                detail = "; ".join(filter(None, (detail, "sent as XML" if node["format"] != "JSON" else "")))
                topic = names.get(node["topic"], node["topic"])
                found.append(Subscription(topic=topic, address=node["uri"], active=not detail, detail=detail))
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return found


def register(account: Account, url: str) -> Sequence[Subscription]:
    """Subscribe the address to each wanted topic that it lacks; one with a filter stays as it is."""
    there = {one.topic for one in listed(account) if one.reaches(url)}
    made = []
    with session(account, retry=False) as opened:
        for topic in wanted(account):
            if topic in there:
                continue
            data = graphql(opened, _CREATE, {"topic": _enum(topic), "url": url}, object=f"subscription {topic}")
            errors = (data.get("webhookSubscriptionCreate") or {}).get("userErrors") or []
            if errors:
                failure = Failure(account.platform, account.name, f"subscription {topic}", 200, _texts(errors))
                raise SetAside(failure, "Mend that (the topic needs its read_ scope), then run the command again.")
            made.append(Subscription(topic=topic, address=url))
    return made


def _enum(topic: str) -> str:
    """A topic as GraphQL spells it: customer.tags_added is CUSTOMER_TAGS_ADDED."""
    return topic.replace("/", "_").replace(".", "_").upper()


def _texts(errors: Sequence[dict[str, str]]) -> str:
    return redacted("; ".join(str(error.get("message", "refused")) for error in errors))
