"""AEvent's address and its one call."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import requests

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError, Failure, StopRun
from dlt_sources.http import Session, unreachable
from dlt_sources.platforms.aevent.tables import CALLS_A_SECOND, PAGE, PATH

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


def calls_a_second(account: Account) -> float:
    """How many calls a second the account is sent; ConfigurationError when the setting is no number above zero."""
    text = account.get("calls_per_second") or str(CALLS_A_SECOND)
    try:
        calls = float(text)
    except ValueError:
        calls = 0.0
    if not 0 < calls < float("inf"):
        raise ConfigurationError(
            f"aevent ({account.name}), calls_per_second: {text!r} is no number above zero; "
            f"mend it under [sources.aevent.{account.name}]."
        )
    return calls


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
