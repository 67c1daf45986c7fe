"""Section 2, rules 1, 11, 12, 15 and 16: reasons not to use an identifier, whatever its owner has said."""

from __future__ import annotations

from datetime import datetime

from orchestration.deciding import cases
from tests.oracle import assumed
from tests.oracle.statement import Statement
from tests.oracle.world import Ask

#: Kinds that say that nothing arrives.
UNDELIVERABLE = frozenset({"invalid_address", "hard_bounce", "carrier_block"})


def erasures(ask: Ask, at: datetime) -> list[Statement]:
    """Erasures of anybody in the wide circle."""
    return [one for one in ask.statements if one.kind == "erased" and one.closes_from <= at]


def erased(ask: Ask, at: datetime) -> list[str]:
    """Rule 16: an erasure stands until an express act after it, which opens the scope that it names (rule 2)."""
    return [one.id for one in erasures(ask, at) if not _acted_after(ask, one, at)]


def _acted_after(ask: Ask, erasure: Statement, at: datetime) -> bool:
    return any(
        one.lifts
        and one.target == ask.target
        and one.channels is not None
        and ask.channel in one.channels
        and one.topic in ("*", ask.question.topic)
        and one.sender in ("*", ask.question.sender)
        and one.when.lo > erasure.when.hi
        and one.when.hi <= at
        for one in ask.statements
    )


def codes(ask: Ask, at: datetime) -> list[tuple[str, list[str]]]:
    """Every suppression in force but erasure, minors and registries, by the reason code of its kind."""
    found = []
    kinds = ask.world.rules.suppression_kinds
    for one in ask.statements:
        row = kinds.get(one.kind)
        if row is None or one.kind == "erased" or one.closes_from > at:
            continue
        if row["scope"] == "identifier" and one.nodes.isdisjoint(ask.own):
            continue
        if ask.question.purpose == "transactional" and row.get("blocks") == "marketing":
            continue
        if one.kind == "spam_complaint" and ask.channel not in ("email", "ads_audience"):
            continue
        if not _lifted(ask, one, at):
            found.append((row["reason_code"], [one.id]))
    return found


def _lifted(ask: Ask, one: Statement, at: datetime) -> bool:
    """Rules 11 and 12: a fresh double opt-in lifts bounces and complaints, a verified delivery the bounces alone."""
    if one.kind not in UNDELIVERABLE | {"spam_complaint"}:
        return False
    if one.kind != "carrier_block" and any(
        other.state == "granted_confirmed"
        and other.lifts
        and other.target == ask.target
        and one.when.hi < other.when.lo
        and other.when.hi <= at
        for other in ask.statements
    ):
        return True
    return one.kind in UNDELIVERABLE and any(one.when.hi < lo and hi <= at for lo, hi in _deliveries(ask))


def _deliveries(ask: Ask) -> list[tuple[datetime, datetime]]:
    """Times at which something was delivered to this very identifier."""
    found = [
        (one.when.lo, one.when.hi) for one in ask.statements if one.state == "delivered" and one.target == ask.target
    ]
    for fact, when, _ in ask.world.of(cases.Event):
        if fact.name in assumed.DELIVERIES and ask.world.identity.target(fact.identifier) == ask.target:
            found.append((when.lo, when.hi))
    return found
