"""Klaviyo's address, version, key and error texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import orjson
import requests
from requests.auth import AuthBase

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, SetAside
from dlt_sources.http import Session, json_body

BASE_URL = "https://a.klaviyo.com"
REVISION = "2026-10-15"  # https://developers.klaviyo.com/en/docs/api_versioning_and_deprecation_policy
PROFILES_PER_PAGE, EVENTS_PER_PAGE, MEMBERS_PER_PAGE = 100, 1000, 100


class _Key(AuthBase):
    def __init__(self, account: Account) -> None:
        self.account = account

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Klaviyo-API-Key {self.account['api_key']}"
        return request


def session(account: Account, *, retry: bool = True) -> Session:
    """A session with the account's key and a pinned revision."""
    opened = Session(account, account.get("base_url") or BASE_URL, auth=_Key(account), retry=retry)
    opened.headers["Accept"] = "application/vnd.api+json"
    opened.headers["revision"] = account.get("revision") or REVISION
    # Without this a retired revision is answered in the shape of a newer one, unasked.
    opened.headers["X-Klaviyo-Revision-Fall-Forward-Opt-Out"] = "1"
    return opened


def check(account: Account) -> None:
    """Read one metric: proves address, key and revision."""
    with session(account, retry=False) as opened:
        opened.call("GET", "/api/metrics", object="check", explain=explain)


def call(
    opened: Session,
    method: str,
    path: str,
    *,
    object: str,
    body: Any = None,
    params: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Make one call and return its JSON:API document; an empty one where Klaviyo answers without a body."""
    data = None if body is None else orjson.dumps(body, default=_plain)
    headers = {"Content-Type": "application/vnd.api+json"} if data else None
    response = opened.call(method, path, object=object, explain=explain, data=data, headers=headers, params=params)
    if not response.content:
        return {}
    document = json_body(opened.account, object, response)
    if not isinstance(document, dict) or not isinstance(document.get("data"), dict | list):
        failure = Failure(opened.account.platform, opened.account.name, object, response.status_code, "no data in it")
        raise SetAside(failure, "The answer is left out; check base_url and revision.")
    return document


def resources(opened: Session, path: str, params: Mapping[str, str], *, object: str) -> Iterator[dict[str, Any]]:
    """Yield the resources of all pages of a list."""
    document = call(opened, "GET", path, object=object, params=params)
    yield from document["data"]
    while following := (document.get("links") or {}).get("next"):
        document = call(opened, "GET", following, object=object)
        yield from document["data"]


def explain(response: requests.Response) -> str:
    """Klaviyo's code, title and pointer; its `detail` repeats the value at fault, so it stays out."""
    try:
        errors = response.json()["errors"]
        parts = []
        for error in errors[:3]:
            source = error.get("source") or {}
            where = source.get("pointer") or source.get("parameter") or ""
            parts.append(" ".join(str(part) for part in (error.get("code"), error.get("title"), where) if part))
        return "; ".join(parts)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _plain(value: Any) -> Any:
    """Traits come from the warehouse; amounts are decimals there."""
    return float(value) if isinstance(value, Decimal) else str(value)
