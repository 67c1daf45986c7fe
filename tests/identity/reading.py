"""Reads one value at a time, with a few rows of every list."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from orchestration.identity.keys import email_keys, phone_keys
from orchestration.identity.lists import Lists, Provider

LISTS = Lists(
    typos={"gmial.com": "gmail.com", "exmaple.com": "example.com"},
    roles=frozenset({"info", "team"}),
    providers={
        "gmail.com": Provider("gmail.com", dotless=True),
        "googlemail.com": Provider("gmail.com", dotless=True),
        "icloud.com": Provider("icloud.com", dotless=False),
        "me.com": Provider("icloud.com", dotless=False),
    },
    relays={"privaterelay.example": True, "relay.example.net": False},
    blocked_texts=frozenset({"test@test.com", "test@gmail.com", "n/a"}),
    blocked_local_parts=frozenset({"noreply"}),
    blocked_domains=frozenset({"invalid"}),
    blocked_digits=frozenset({"0000000000", "2222222222"}),
)


def email(value: str | None) -> dict[str, Any]:
    """The one row of the keys of an address, keys as sets."""
    return _row(email_keys(pa.array([value], pa.string()), LISTS))


def phone(value: str | None, *countries: str | None) -> dict[str, Any]:
    """The one row of the keys of a number that was given by somebody of one of the countries."""
    return _row(phone_keys(pa.array([value], pa.string()), pa.array([countries], pa.list_(pa.string())), LISTS))


def wide(row: dict[str, Any]) -> set[str]:
    """The suppression keys without their kind."""
    return {key.partition(":")[2] for key in row["suppression_keys"]}


def is_hit(target: dict[str, Any], suppressed: dict[str, Any]) -> bool:
    """Whether a suppression of one value blocks another."""
    return not target["blocked_by"].isdisjoint(suppressed["suppression_keys"])


def _row(table: pa.Table) -> dict[str, Any]:
    [row] = table.to_pylist()
    return row | {name: set(row[name]) for name in ("suppression_keys", "blocked_by")}
