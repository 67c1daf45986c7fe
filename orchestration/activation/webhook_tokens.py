"""Tokens in webhook URLs, kept in state as hashes: made and revoked by the command line, read by the receiver."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from dlt_sources import url_tokens
from dlt_sources.errors import AudiencesError
from dlt_sources.url_tokens import UrlToken
from orchestration.activation.ledger import reading
from orchestration.activation.state import State, webhook_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptToken:
    """A token on record; `disabled_at` is None while it lives."""

    token: UrlToken
    created_at: datetime
    disabled_at: datetime | None = None


class LiveTokens:
    """The book of `dlt_sources.url_tokens`: the live tokens as last read."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._tokens: Mapping[str, UrlToken] = {}

    def read(self) -> None:
        """Read the live tokens anew."""
        self._tokens = {kept.token.hash: kept.token for kept in listed(self.state) if kept.disabled_at is None}

    def get(self, hash_: str) -> UrlToken | None:
        """The live token of that hash, if any."""
        return self._tokens.get(hash_)

    def of(self, account: str) -> Collection[UrlToken]:
        """The live tokens of an account."""
        return [token for token in self._tokens.values() if token.account == account]


def make(state: State, account: str, tags: Sequence[str], label: str = "") -> str:
    """Make a token for an account (`platform:account`) and some tags; it is returned here and is nowhere else."""
    token = url_tokens.new()
    platform, _, name = account.partition(":")
    with state.write_deliveries() as connection:
        connection.execute(
            insert(webhook_tokens).values(
                token_hash=url_tokens.hash_of(token),
                platform=platform,
                account=name,
                tags=list(tags),
                suppress_only=True,
                label=label,
                created_at=datetime.now(UTC),
            )
        )
    return token


def listed(state: State) -> list[KeptToken]:
    """Every token on record, the oldest first."""
    with reading(state.deliveries) as connection:
        return [_kept(row) for row in connection.execute(select(webhook_tokens).order_by(webhook_tokens.c.created_at))]


def revoke(state: State, beginning: str) -> KeptToken:
    """Disable the live token whose hash begins like this; AudiencesError unless exactly one does."""
    live = [kept for kept in listed(state) if kept.disabled_at is None]
    meant = [kept for kept in live if beginning and kept.token.hash.startswith(beginning.lower())]
    if len(meant) != 1:
        known = ", ".join(kept.token.short for kept in live) or "none"
        raise AudiencesError(f"{beginning!r} names {len(meant)} live tokens; live are {known}.")
    mine = webhook_tokens.c.token_hash == meant[0].token.hash
    with state.write_deliveries() as connection:
        connection.execute(update(webhook_tokens).where(mine).values(disabled_at=datetime.now(UTC)))
    return meant[0]


def _kept(row: Row[Any]) -> KeptToken:
    token = UrlToken(
        hash=row.token_hash,
        account=f"{row.platform}:{row.account}",
        tags=tuple(row.tags),
        label=row.label,
        suppress_only=row.suppress_only,
    )
    return KeptToken(token=token, created_at=row.created_at, disabled_at=row.disabled_at)
