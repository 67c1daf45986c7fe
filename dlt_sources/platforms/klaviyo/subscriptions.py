"""Klaviyo's system webhooks (https://developers.klaviyo.com/en/reference/webhooks_api_overview), one for many topics.

Klaviyo shows only the host of an address, so ours carry the whole one in their description. The secret that signs is
chosen when a webhook is made and never shown again: it is the account's `webhook_secret`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError, StopRun
from dlt_sources.platforms.klaviyo.client import call, resources, session
from dlt_sources.platforms.klaviyo.tables import TOPICS
from dlt_sources.receiving import part, text
from dlt_sources.subscriptions import Subscription

BY_HAND = (
    "Without Advanced KDP there are no system webhooks: the daily pull brings the same facts later, and a flow with a "
    "webhook action can call another tool's URL at once."
)
_LEAST_SECRET = 16
_PLAN = (
    "Klaviyo gives its webhooks API to Advanced KDP accounts and app partners only; with that plan, the key needs the "
    "scopes webhooks:read and webhooks:write."
)


def wanted(account: Account) -> Sequence[str]:
    """The declared topics that this account knows: a topic of a metric exists from the metric's first event on."""
    with _explained(), session(account) as opened:
        known = {str(topic["id"]) for topic in resources(opened, "/api/webhook-topics", {}, object="topics")}
    return [topic.topic for topic in TOPICS if topic.topic in known]


def listed(account: Account) -> Sequence[Subscription]:
    """A subscription per webhook and topic; a webhook that is not ours shows no more than its host."""
    with _explained(), session(account) as opened:
        query = {"include": "webhook-topics"}
        webhooks = list(resources(opened, "/api/webhooks", query, object="subscriptions"))
    return [subscription for webhook in webhooks for subscription in _of(webhook)]


def register(account: Account, url: str) -> Sequence[Subscription]:
    """Make one webhook for the wanted topics that none sends to this address; a disabled one stays so."""
    secret = account.get("webhook_secret") or ""
    if len(secret) < _LEAST_SECRET:
        raise ConfigurationError(
            f"{account.platform} ({account.name}): write webhook_secret under "
            f"[sources.{account.platform}.{account.name}] in .dlt/secrets.toml first ({_LEAST_SECRET} or more "
            "characters, chosen by you): Klaviyo signs with the secret that a webhook is made with."
        )
    there = {one.topic for one in listed(account) if one.whole and one.reaches(url)}
    missing = [topic for topic in wanted(account) if topic not in there]
    if not missing:
        return []
    topics = [{"type": "webhook-topic", "id": topic} for topic in missing]
    attributes = {"name": f"Audiences {account.name}", "description": url, "endpoint_url": url, "secret_key": secret}
    body = {
        "data": {
            "type": "webhook",
            "attributes": attributes,
            "relationships": {"webhook-topics": {"data": topics}},
        }
    }
    with _explained(), session(account, retry=False) as opened:
        call(opened, "POST", "/api/webhooks", object="subscription", body=body)
    return [Subscription(topic=topic, address=url) for topic in missing]


def _of(webhook: Mapping[str, Any]) -> Iterator[Subscription]:
    attributes = part(webhook, "attributes")
    shown, described = text(attributes.get("endpoint_url")), text(attributes.get("description"))
    whole = bool(shown) and described.startswith(f"{shown.rstrip('/')}/")
    topics = part(webhook, "relationships", "webhook-topics").get("data")
    for topic in topics if isinstance(topics, list) else []:
        yield Subscription(
            topic=text(topic.get("id")),
            address=described if whole else shown,
            active=attributes.get("enabled") is True,
            detail="" if whole else f"{text(attributes.get('name'))}: Klaviyo shows the host only",
            whole=whole,
        )


@contextmanager
def _explained() -> Iterator[None]:
    """Say what a refusal means here: the plan, before the permission."""
    try:
        yield
    except StopRun as error:
        if error.failure.status == 403:
            raise StopRun(error.failure, _PLAN) from None
        raise
