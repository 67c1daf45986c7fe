"""Shopify's address, version, tokens, GraphQL answers and error texts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from requests.auth import AuthBase

from dlt_sources import tokens
from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, PlatformError, RetryLater, SetAside, StopRun
from dlt_sources.http import Session, json_body
from dlt_sources.outcomes import redacted

VERSION = "2026-10"  # https://shopify.dev/docs/api/usage/versioning
REST, GRAPHQL = f"/admin/api/{VERSION}", f"/admin/api/{VERSION}/graphql.json"
PAGE_SIZE = 250
#: A single query may cost 1000 points; 900 leaves room for what surrounds the counted nodes.
QUERY_POINTS = 900


class _Token(AuthBase):
    def __init__(self, account: Account) -> None:
        self.account = account

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Shopify-Access-Token"] = access_token(self.account)
        return request


def session(account: Account, *, retry: bool = True) -> Session:
    """A session of the shop with its token."""
    return Session(account, _base_url(account), auth=_Token(account), retry=retry)


def check(account: Account) -> None:
    """Read the shop's name: proves address, token and version."""
    with session(account, retry=False) as opened:
        assert_version(account, opened.call("GET", f"{REST}/shop.json", object="check", explain=explain))


def access_token(account: Account) -> str:
    """The account's fixed token, or one from the client-credentials grant (it lives a day)."""
    return account.get("access_token") or tokens.current(account.key, lambda _: _grant(account))


def assert_version(account: Account, response: requests.Response) -> None:
    """Raise StopRun when another version answered: Shopify serves a retired version's callers from a newer one."""
    answered = response.headers.get("X-Shopify-API-Version", VERSION)
    if answered != VERSION:
        failure = Failure(account.platform, account.name, "API version", response.status_code, f"{answered} answered")
        raise StopRun(failure, f"{VERSION} is no longer served: update the platform's package.")


def graphql(opened: Session, query: str, variables: Mapping[str, Any], *, object: str) -> dict[str, Any]:
    """Post a query and return its `data`; errors at the top of the answer become errors of the tree."""
    body = {"query": query, "variables": dict(variables)}
    response = opened.call("POST", GRAPHQL, object=object, json=body, explain=explain)
    assert_version(opened.account, response)
    answer = json_body(opened.account, object, response)
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if errors:
        raise _graphql_error(opened.account, object, answer)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
        failure = Failure(opened.account.platform, opened.account.name, object, response.status_code, "no data")
        raise SetAside(failure, "The answer is left out; check the API version.")
    data: dict[str, Any] = answer["data"]
    return data


def explain(response: requests.Response) -> str:
    """The keys and texts of Shopify's `errors`, which may be a text, a list or an object of lists."""
    try:
        errors = response.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return ""
    if isinstance(errors, dict):
        texts = {key: text if isinstance(text, list) else [text] for key, text in errors.items()}
        return redacted("; ".join(f"{key}: {', '.join(map(str, several))}" for key, several in texts.items()))
    return redacted(errors)


def _graphql_error(account: Account, object: str, answer: Mapping[str, Any]) -> PlatformError:
    errors = answer["errors"]
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = str((first.get("extensions") or {}).get("code") or "error")
    if code == "THROTTLED":
        failure = Failure(account.platform, account.name, object, 429, "THROTTLED (sent as HTTP 200)")
        return RetryLater(failure, "It is tried again when points are back.", _seconds_to_points(answer))
    failure = Failure(account.platform, account.name, object, 200, f"GraphQL {code}")
    if code == "INTERNAL_SERVER_ERROR":
        return RetryLater(failure, "It is tried again later.")
    if code == "ACCESS_DENIED":
        section = f"[sources.{account.platform}.{account.name}]"
        return StopRun(failure, f"Give the app of {section} the missing access scope.")
    return SetAside(failure, "The rows of this call are set aside; the query does not suit the API version.")


def _seconds_to_points(answer: Mapping[str, Any]) -> float:
    """How long the bucket takes to hold what the refused query costs."""
    cost = (answer.get("extensions") or {}).get("cost") or {}
    throttle = cost.get("throttleStatus") or {}
    missing = float(cost.get("requestedQueryCost") or 100) - float(throttle.get("currentlyAvailable") or 0)
    return max(0.1, missing / float(throttle.get("restoreRate") or 100))


def _base_url(account: Account) -> str:
    if account.get("base_url"):
        return account["base_url"]
    shop = account["shop"].removeprefix("https://").rstrip("/")
    return f"https://{shop}" if "." in shop else f"https://{shop}.myshopify.com"


def _grant(account: Account) -> tokens.Token:
    form = {
        "grant_type": "client_credentials",
        "client_id": account["client_id"],
        "client_secret": account["client_secret"],
    }
    with Session(account, _base_url(account), auth=None, retry=True) as opened:
        response = opened.call("POST", "/admin/oauth/access_token", object="access token", data=form)
    answer = json_body(account, "access token", response)
    if not isinstance(answer, dict) or not answer.get("access_token"):
        failure = Failure(account.platform, account.name, "access token", response.status_code, "no token")
        raise StopRun(failure, "Check client_id and client_secret.")
    life = timedelta(seconds=float(answer.get("expires_in") or 86_399))
    return tokens.Token(str(answer["access_token"]), datetime.now(UTC) + life)
