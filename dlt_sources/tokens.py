"""Access tokens that expire: fetched when needed, refreshed before they end, kept by whoever runs the house.

The default store lives in memory; orchestration replaces it with the state store, so that all processes share a
token and a rotated refresh token survives a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

#: A token is renewed this long before it ends, so that no call starts with one that ends on the way.
MARGIN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, its end (UTC; None = does not end) and the refresh token that came with it."""

    access: str = field(repr=False)
    expires_at: datetime | None
    refresh: str = field(default="", repr=False)

    def usable(self, now: datetime) -> bool:
        """True while a call may start with this token."""
        return self.expires_at is None or now + MARGIN < self.expires_at


class TokenStore(Protocol):
    """Where tokens are kept, by account key (`platform:account`)."""

    def get(self, account: str) -> Token | None:
        """The kept token, if any."""

    def put(self, account: str, token: Token) -> None:
        """Keep a token in place of the former one."""


class _Memory:
    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}

    def get(self, account: str) -> Token | None:
        return self._tokens.get(account)

    def put(self, account: str, token: Token) -> None:
        self._tokens[account] = token


_store: TokenStore = _Memory()


def keep_in(store: TokenStore) -> None:
    """Keep tokens in `store` from now on."""
    global _store
    _store = store


def current(account: str, renew: Callable[[Token | None], Token]) -> str:
    """The account's access token; `renew` is called with the former token when it is missing or about to end."""
    token = _store.get(account)
    if token is None or not token.usable(datetime.now(UTC)):
        token = renew(token)
        _store.put(account, token)
    return token.access
