"""HubSpot's webhook subscriptions of a legacy public app (https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide).

They belong to the app, not to the account: its developer's key manages them, and one address serves all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import requests
from requests.auth import AuthBase

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, NotOffered, SetAside, StopRun
from dlt_sources.http import Session
from dlt_sources.platforms.hubspot.client import BASE_URL, call
from dlt_sources.platforms.hubspot.tables import TOPICS, WATCHED
from dlt_sources.subscriptions import Subscription

BY_HAND = (
    "Only a legacy public app's webhooks can be managed by API. In a project app they stand in webhooks-hsmeta.json "
    "(targetUrl, contact.* under legacyCrmObjects, contact.privacyDeletion under hubEvents); in a legacy private app, "
    "in its settings under Webhooks. contact.propertyChange is needed once for each of: " + ", ".join(WATCHED) + "."
)
_CHANGE = "contact.propertyChange"
#: HubSpot's default, written out because the address cannot be set without it.
_CONCURRENT = 10


class _DeveloperKey(AuthBase):
    """The key travels in the query: this API takes it nowhere else."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.prepare_url(request.url, {"hapikey": self.account["developer_api_key"]})
        return request


def wanted(account: Account) -> Sequence[str]:
    """The declared topics; contact.propertyChange once for each watched property and each named subscription type."""
    types = [one.partition("=")[0].strip() for one in account.get("subscription_types").split(",")]
    properties = [*WATCHED, *(f"hs_email_optout_{one}" for one in types if one)]
    return [
        name
        for topic in TOPICS
        for name in ([f"{_CHANGE}:{one}" for one in properties] if topic.topic == _CHANGE else [topic.topic])
    ]


def listed(account: Account) -> Sequence[Subscription]:
    """The app's subscriptions; without an address of the app nothing is sent."""
    with _opened(account) as opened:
        address = _address(account, opened)
        path = f"{_path(account)}/subscriptions"
        found = call(opened, "GET", path, object="subscriptions", holds="results").get("results", [])
    detail = "" if address else "the app has no target address"
    return [
        Subscription(
            topic=_topic(one), address=address, active=bool(address) and one.get("active") is True, detail=detail
        )
        for one in found
    ]


def register(account: Account, url: str) -> Sequence[Subscription]:
    """Give the app our address if it has none, then subscribe it to what it lacks; a paused subscription stays so."""
    there = {one.topic for one in listed(account)}
    missing = [topic for topic in wanted(account) if topic not in there]
    with _opened(account, retry=False) as opened:
        address = _address(account, opened)
        if address not in ("", url):
            failure = Failure(account.platform, account.name, "subscriptions", 200, "the app sends to another address")
            raise SetAside(
                failure, "An app has one address: change it in the app's settings, or use an app of its own."
            )
        if not address:
            settings = {"targetUrl": url, "throttling": {"maxConcurrentRequests": _CONCURRENT}}
            call(opened, "PUT", f"{_path(account)}/settings", object="subscriptions", body=settings)
        for topic in missing:
            event, _, watched = topic.partition(":")
            body: dict[str, Any] = {"eventType": event, "active": True}
            body |= {"propertyName": watched} if watched else {}
            call(opened, "POST", f"{_path(account)}/subscriptions", object=f"subscription {topic}", body=body)
    return [Subscription(topic=topic, address=url) for topic in missing]


def _address(account: Account, opened: Session) -> str:
    try:
        settings = call(opened, "GET", f"{_path(account)}/settings", object="subscriptions")
    except StopRun as error:
        if error.failure.status == 404:  # an app that was never given an address has no settings
            return ""
        raise
    return str(settings.get("targetUrl") or "")


def _topic(subscription: dict[str, Any]) -> str:
    watched = subscription.get("propertyName")
    return f"{subscription.get('eventType')}:{watched}" if watched else str(subscription.get("eventType"))


def _opened(account: Account, *, retry: bool = True) -> Session:
    base_url = account.get("base_url") or BASE_URL
    return Session(account, base_url, auth=_DeveloperKey(account), retry=retry)


def _path(account: Account) -> str:
    if not (account.get("app_id") and account.get("developer_api_key")):
        raise NotOffered(
            f"{account.platform} ({account.name}): without app_id and developer_api_key under "
            f"[sources.{account.platform}.{account.name}] its webhooks can only be set by hand. {BY_HAND}"
        )
    return f"/webhooks/v3/{account['app_id']}"
