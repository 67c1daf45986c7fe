"""Twilio's addresses, credentials and error texts."""

from __future__ import annotations

import requests
from requests.auth import HTTPBasicAuth

from dlt_sources.accounts import Account
from dlt_sources.http import Session

BASE_URL = "https://api.twilio.com"
ACCOUNTS_URL = "https://accounts.twilio.com"
MESSAGING_URL = "https://messaging.twilio.com"
VERSION = "2010-04-01"  # https://www.twilio.com/docs/usage/api (a name, not a version to raise)
PAGE_SIZE = 1000


def session(account: Account, *, retry: bool = True) -> Session:
    """A session of the classic API (messages)."""
    return Session(account, account.get("base_url") or BASE_URL, auth=_auth(account), retry=retry)


def accounts_session(account: Account, *, retry: bool = True) -> Session:
    """A session of the host that keeps consents."""
    # Another address of the API alone must not leave the consent writes with the real Twilio.
    base_url = account.get("accounts_base_url") or account.get("base_url") or ACCOUNTS_URL
    return Session(account, base_url, auth=_auth(account), retry=retry)


def messaging_session(account: Account, *, retry: bool = True) -> Session:
    """A session of the host that keeps messaging services."""
    return Session(account, account.get("base_url") or MESSAGING_URL, auth=_auth(account), retry=retry)


def account_path(account: Account, tail: str) -> str:
    """The path of a resource of this account."""
    return f"/{VERSION}/Accounts/{account['account_sid']}{tail}"


def check(account: Account) -> None:
    """Read the account itself: proves address, sid and token."""
    with session(account, retry=False) as opened:
        opened.call("GET", account_path(account, ".json"), object="check", explain=explain)


def code(response: requests.Response) -> int | None:
    """Twilio's own error number, such as 21610 (the recipient opted out)."""
    try:
        return int(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        return None


def explain(response: requests.Response) -> str:
    """Twilio's error number with where to read about it; its message repeats the number called, so it stays out."""
    number = code(response)
    return "" if number is None else f"error {number} (https://www.twilio.com/docs/errors/{number})"


def _auth(account: Account) -> HTTPBasicAuth:
    if account.get("api_key_sid"):
        return HTTPBasicAuth(account["api_key_sid"], account["api_key_secret"])
    return HTTPBasicAuth(account["account_sid"], account["auth_token"])
