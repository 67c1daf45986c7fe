"""Lists that an identifier may stand on, and how long a comparison with them is good."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sandbox.facts import Receipt
from sandbox.rules import keys

CHILD_PROTECTION = ("child_protection_utah", "child_protection_michigan")
_FRESH = timedelta(days=30)


def against(
    receipts: Iterable[Receipt], channel: str, category: str, identifier: str, granted: datetime | None, as_of: datetime
) -> list[str]:
    """Why registries close an identifier: goods that minors may not buy, and numbers that are another's by now."""
    known = [receipt for receipt in receipts if receipt.at <= as_of]
    if channel == "sms":
        given_up = [one.since for one in known if one.result == "disconnected" and one.identifier == identifier]
        return ["carrier_block"] if any(day and (granted is None or granted.date() <= day) for day in given_up) else []
    if category == "none":
        return []
    listed = [one.identifier for one in known if one.registry in CHILD_PROTECTION and one.result == "listed"]
    hit = any(
        one and (identifier.endswith(one) if one[0] == "@" else keys.wide(one) & keys.wide(identifier))
        for one in listed
    )
    fresh = {one.registry for one in known if one.identifier is None and as_of - one.at <= _FRESH}
    return ["registry_hit"] * hit + ["registry_stale"] * (not fresh.issuperset(CHILD_PROTECTION))
