"""A home that also receives AEvent's setpixel calls, and such calls as tools make them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

from dlt_sources import url_tokens
from orchestration.activation.state import State, webhook_tokens
from orchestration.home import Home
from orchestration.landing.files import Landed, Landing, read
from tests.landing.senders import Request, make_home

TOKEN = "c8AU6RrgjGTBI0u"
HASH = url_tokens.hash_of(TOKEN)
SHORT = HASH[:6]


def make_setpixel_home(folder: Path, tags: Sequence[str] = ("Buyer", "Gold Buyer")) -> Home:
    """A home with an AEvent account and the token of the documentation's example."""
    home = make_home(folder)
    config = home.folder / ".dlt" / "config.toml"
    config.write_text(config.read_text() + '\n[sources.aevent.main]\nbrand = "acme"\n')
    put_token(home, TOKEN, tags)
    return home


def put_token(home: Home, token: str, tags: Sequence[str], account: str = "main") -> None:
    """Put a token on record, as `audiences webhooks new` does."""
    state = State.of(home)
    try:
        with state.write_deliveries() as connection:
            connection.execute(
                insert(webhook_tokens).values(
                    token_hash=url_tokens.hash_of(token),
                    platform="aevent",
                    account=account,
                    tags=list(tags),
                    suppress_only=True,
                    label="Zapier",
                    created_at=datetime.now(UTC),
                )
            )
    finally:
        state.close()


def pixel(query: str, method: str = "GET", body: bytes = b"", **headers: str) -> Request:
    """A call of the URL; T stands for the token."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    query = query.replace("wtl=T", f"wtl={TOKEN}")
    return Request(f"/setpixel?{query}" if query else "/setpixel", body, names, method)


def landed(home: Home) -> list[Landed]:
    """What is in `ready/`, whatever its lane."""
    landing = Landing(home.landing)
    return [
        one
        for lane in ("speed", "segmentation", "care")
        for path in landing.waiting(lane, "ready")  # type: ignore[arg-type]
        for one in read(path)
    ]
