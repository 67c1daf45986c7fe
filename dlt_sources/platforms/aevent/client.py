"""AEvent's address and its one call."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import requests

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, StopRun
from dlt_sources.http import Session, unreachable
from dlt_sources.platforms.aevent.tables import PAGE, PATH

SECONDS = 5.0


def session(account: Account) -> Session:
    """A session of the account's host; StopRun where the settings for pushes are missing."""
    missing = "subdomain" if not (account.get("base_url") or account.get("subdomain")) else ""
    if not account.get("wtl"):
        missing = "wtl"
    if missing:
        failure = Failure(account.platform, account.name, "settings", None, f"{missing} is not set")
        raise StopRun(failure, f"Write it under [sources.aevent.{account.name}].")
    base_url = account.get("base_url") or f"https://{account['subdomain']}.aevent.online"
    return Session(account, base_url, auth=None, retry=False)


def path(account: Account, tag: str, name: str, value: str) -> str:
    """The URL's path and query that set `tag` for a person by `name` (email or r)."""
    fields = {"page": PAGE, "wtl": account["wtl"], "value": tag, name: value}
    return f"{PATH}?{urlencode(fields, quote_via=quote, safe='')}"


def check(account: Account) -> None:
    """Ask whether the host answers at all: AEvent offers no call that proves the token and sets no tag."""
    with session(account) as opened:
        try:
            response = opened.request("HEAD", PATH, timeout=SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise unreachable(account, "check", error) from None
        if response.status_code >= 500:
            raise opened.refusal("check", response)
