"""HubSpot's address, versions, token, limits and error texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
import requests
from requests.auth import AuthBase

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError, Failure, PlatformError, RetryLater, SetAside, StopRun
from dlt_sources.http import Session, json_body

BASE_URL = "https://api.hubapi.com"
VERSION = "2026-09"  # https://developers.hubspot.com/docs/developer-tooling/platform/versioning
PAGE_SIZE, SEARCH_SIZE, BATCH_SIZE, MEMBERS_SIZE = 100, 200, 100, 100

#: Where each part of the API lives under a dated version, and under the undated ones that end in 2027.
_PATHS = {
    "contacts": ("/crm/objects/{}/contacts", "/crm/v3/objects/contacts"),
    "lists": ("/crm/lists/{}", "/crm/v3/lists"),
    "properties": ("/crm/properties/{}/contacts", "/crm/v3/properties/contacts"),
    "statuses": ("/communication-preferences/{}/statuses", "/communication-preferences/v4/statuses"),
    "events": ("/events/event-occurrences/{}", "/events/v3/events"),
}
_LOCKED_SECONDS = 2.0


class _Token(AuthBase):
    def __init__(self, account: Account) -> None:
        self.account = account

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.account['access_token']}"
        return request


def session(account: Account, *, retry: bool = True) -> Session:
    """A session with the account's token."""
    return Session(account, account.get("base_url") or BASE_URL, auth=_Token(account), retry=retry, judge=_judge)


def check(account: Account) -> None:
    """Read one contact: proves address, token and version."""
    with session(account, retry=False) as opened:
        opened.call("GET", path(account, "contacts"), object="check", explain=explain, params={"limit": "1"})


def path(account: Account, part: str, tail: str = "") -> str:
    """The path of a part of the API (contacts, lists, properties, statuses, events) in the account's version."""
    version = account.get("api_version") or VERSION
    dated, undated = _PATHS[part]
    if version == "v3":
        return undated + tail
    if not re.fullmatch(r"\d{4}-\d{2}", version):
        section = f"[sources.{account.platform}.{account.name}]"
        raise ConfigurationError(
            f'api_version under {section} is {version!r}: write a date such as "{VERSION}", or v3.'
        )
    return dated.format(version) + tail


def call(
    opened: Session,
    method: str,
    path: str,
    *,
    object: str,
    body: Any = None,
    params: Mapping[str, str] | None = None,
    holds: str = "",
) -> dict[str, Any]:
    """Make one call and return its JSON object; SetAside when it lacks a list of objects under `holds`."""
    data = None if body is None else orjson.dumps(body, default=_plain)
    headers = {"Content-Type": "application/json"} if data else None
    response = opened.call(method, path, object=object, explain=explain, data=data, headers=headers, params=params)
    document = json_body(opened.account, object, response)
    rows = document.get(holds) if holds and isinstance(document, dict) else []
    if not isinstance(document, dict) or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        detail = f"no list of objects under {holds!r}" if holds else "no object"
        failure = Failure(opened.account.platform, opened.account.name, object, response.status_code, detail)
        raise SetAside(failure, "The answer is left out; check base_url and api_version.")
    return document


def explain(response: requests.Response) -> str:
    """HubSpot's category, codes and correlation id; its messages repeat values, so they stay out."""
    try:
        body = response.json()
        errors = [error for error in body.get("errors") or () if isinstance(error, dict)]
        contexts = [body.get("context"), *(error.get("context") for error in errors[:3])]
        names = [
            ", ".join(map(str, context[key]))
            for context in contexts
            if isinstance(context, dict)
            for key in ("missingScopes", "requiredGranularScopes", "propertyName")
            if isinstance(context.get(key), list)
        ]
        parts = [body.get("category"), body.get("policyName"), *(error.get("code") for error in errors[:3]), *names]
        text = " ".join(str(part) for part in parts if part)
        correlation = body.get("correlationId")
        return f"{text} (correlation id {correlation})" if correlation else text
    except (ValueError, AttributeError, TypeError):
        return ""


def _judge(response: requests.Response, error: PlatformError) -> PlatformError:
    """What HubSpot says beside the status: which limit was reached, and when its window ends."""
    if response.status_code == 429 and _policy(response) == "DAILY":
        return StopRun(
            error.failure, "The account's calls of this day are used up; after midnight it goes on by itself."
        )
    if not isinstance(error, RetryLater) or error.retry_after is not None:
        return error
    if response.status_code == 423:
        return RetryLater(error.failure, error.next_step, _LOCKED_SECONDS)
    if response.status_code != 429:
        return error
    interval = response.headers.get("X-HubSpot-RateLimit-Interval-Milliseconds", "")
    return RetryLater(error.failure, error.next_step, int(interval) / 1000) if interval.isdecimal() else error


def _policy(response: requests.Response) -> str:
    try:
        return str(response.json().get("policyName") or "")
    except (ValueError, AttributeError):
        return ""


def _plain(value: Any) -> Any:
    """Traits come from the warehouse; amounts are decimals there."""
    return float(value) if isinstance(value, Decimal) else str(value)
