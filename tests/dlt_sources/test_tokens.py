"""Access tokens: renewed before they end, never oftener than needed, and kept where everybody finds them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dlt_sources import tokens
from dlt_sources.tokens import MARGIN, Token
from orchestration.activation.state import State
from orchestration.activation.token_store import Tokens


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_store", tokens._Memory())


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state")
    yield opened
    opened.close()


class Vendor:
    """Hands out numbered tokens and remembers which former one it was shown."""

    def __init__(self, lasts: timedelta | None) -> None:
        self.lasts = lasts
        self.shown: list[Token | None] = []

    def __call__(self, former: Token | None) -> Token:
        self.shown.append(former)
        number = len(self.shown)
        expires_at = datetime.now(UTC) + self.lasts if self.lasts is not None else None
        return Token(f"access-{number}", expires_at, f"refresh-{number}")


def test_a_token_is_fetched_once_while_it_may_be_used() -> None:
    vendor = Vendor(MARGIN + timedelta(minutes=1))
    assert [tokens.current("shop:main", vendor) for _ in range(3)] == ["access-1"] * 3
    assert vendor.shown == [None]


def test_a_token_that_does_not_end_is_never_renewed() -> None:
    vendor = Vendor(None)
    assert [tokens.current("shop:main", vendor) for _ in range(2)] == ["access-1"] * 2


def test_a_token_is_renewed_before_its_end_with_the_refresh_token_it_came_with() -> None:
    vendor = Vendor(MARGIN - timedelta(seconds=1))
    assert tokens.current("shop:main", vendor) == "access-1"
    assert tokens.current("shop:main", vendor) == "access-2"
    assert [former.refresh if former else None for former in vendor.shown] == [None, "refresh-1"]


def test_accounts_do_not_share_tokens() -> None:
    vendor = Vendor(timedelta(hours=1))
    assert tokens.current("shop:main", vendor) != tokens.current("shop:second", vendor)


def test_a_failed_renewal_keeps_the_former_token_for_the_next_try() -> None:
    vendor = Vendor(MARGIN - timedelta(seconds=1))
    tokens.current("shop:main", vendor)

    def refused(_: Token | None) -> Token:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        tokens.current("shop:main", refused)
    tokens.current("shop:main", vendor)
    assert vendor.shown[-1] is not None
    assert vendor.shown[-1].refresh == "refresh-1"


def test_tokens_kept_in_state_outlive_the_process_and_keep_their_zone(state: State) -> None:
    tokens.keep_in(Tokens(state))
    vendor = Vendor(timedelta(hours=1))
    tokens.current("shop:main", vendor)
    again = State(state.folder)
    try:
        kept = Tokens(again).get("shop:main")
    finally:
        again.close()
    assert kept is not None
    assert (kept.access, kept.refresh) == ("access-1", "refresh-1")
    assert kept.expires_at is not None
    assert kept.expires_at.utcoffset() == timedelta(0)
    assert kept.usable(datetime.now(UTC))


def test_a_renewed_token_takes_the_place_of_the_former_one_in_state(state: State) -> None:
    tokens.keep_in(Tokens(state))
    vendor = Vendor(MARGIN - timedelta(seconds=1))
    for _ in range(3):
        tokens.current("shop:main", vendor)
    kept = Tokens(state).get("shop:main")
    assert kept is not None
    assert kept.access == "access-3"
    assert [former.refresh if former else None for former in vendor.shown] == [None, "refresh-1", "refresh-2"]


def test_a_token_shows_nothing_of_itself() -> None:
    assert "shhh" not in repr(Token("shhh-1", None, "shhh-2"))
