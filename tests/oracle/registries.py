"""Section 3: lists that an address or number may stand on, and the receipts of having compared them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from orchestration.deciding import cases
from tests.oracle.places import Place
from tests.oracle.rules import Row, in_force
from tests.oracle.statement import Statement
from tests.oracle.times import LOW, Interval
from tests.oracle.world import PHONE_CHANNELS, Ask

Receipt = tuple[cases.Scrub, Interval]


def codes(
    ask: Ask, where: frozenset[Place], at: datetime, today: date, grants: list[Statement]
) -> list[tuple[str, list[str]]]:
    """registry_hit and registry_stale, of every registry that guards the channel and category there.

    A listing counts at once and wherever its owner is thought to live; a receipt is needed only where the registry is.
    A registry whose listing an express consent lifts closes nothing while there is one, and needs no receipt for it.
    """
    found: list[tuple[str, list[str]]] = []
    if not ask.world.policy.get("apply_registries", True):
        return found
    express = any(one.state != "granted_implied" for one in grants)
    for row in guarding(ask):
        if row["suppression_kind"] != "registry_hit" or not in_force(row, today):
            continue
        if row["express_consent_lifts"] == "true" and express:
            continue
        told = [one for one in receipts(ask, row) if one[1].hi <= at]
        found += [("registry_hit", [fact.id]) for fact, _ in _standing(told)]
        if not _there(row, where):
            continue
        days = timedelta(days=max_days(ask, row))
        # Section 6, target narrow: only the very spelling, or the whole list, was compared.
        compared = [one for one in told if not one[0].identifier or _spells(ask, one[0].identifier)]
        fresh = [fact.id for fact, when in compared if when.lo != LOW and at <= when.lo + days]
        if not fresh and row["needed"] == "true":
            found.append(("registry_stale", [fact.id for fact, _ in told]))
    return found


def guarding(ask: Ask) -> list[Row]:
    """Rows of registries for the channel: of all goods, and of the message's categories."""
    table = ask.world.rules.registries
    names = [ask.world.rules.parents.get(one, one) for one in ask.categories]
    found = (row for name in ["*", *ask.categories, *names] for row in table.get((ask.channel, name), []))
    return list({row["registry"]: row for row in found}.values())


def max_days(ask: Ask, row: Row) -> int:
    """Days for which a receipt is fresh: of the registry, and no more than the project's policy."""
    told = int(row["max_days"]) if row["max_days"] else 10_000
    return min(told, int(ask.world.policy.get("registry_max_days", 30)))


def receipts(ask: Ask, row: Row) -> list[Receipt]:
    """Receipts of a registry: of the whole list, of the identifier, or of its domain."""
    key = ("receipts", row["registry"], row["lists_domains"])
    if key not in ask.memory:
        ask.memory[key] = [
            (fact, when)
            for fact, when, _ in ask.world.of(cases.Scrub)
            if fact.registry == row["registry"] and _about(ask, row, fact)
        ]
    return ask.memory[key]


def _about(ask: Ask, row: Row, fact: cases.Scrub) -> bool:
    if fact.identifier is None:
        return True
    if fact.identifier.startswith("@"):
        domain = fact.identifier.casefold()
        return row["lists_domains"] == "true" and any(key.endswith(domain) for key in ask.own)
    return not ask.world.identity.keys(fact.identifier, blocking=True).isdisjoint(ask.own)


def _spells(ask: Ask, identifier: str) -> bool:
    return not identifier.startswith("@") and ask.world.identity.target(identifier) == ask.target


def _standing(told: list[Receipt]) -> list[Receipt]:
    """The listings that no later receipt about the same identifier has cleared; a tie stays listed."""
    return [
        (fact, when)
        for fact, when in told
        if fact.result != "clear"
        and fact.identifier
        and not any(
            other.result == "clear" and other.identifier == fact.identifier and since.lo > when.hi
            for other, since in told
        )
    ]


def disconnected(ask: Ask, at: datetime) -> tuple[date, str] | None:
    """Section 6, recycled numbers: the last day on which the number was disconnected for good, and who says so."""
    if ask.channel not in PHONE_CHANNELS or not ask.world.policy.get("apply_registries", True):
        return None
    found = [
        (fact.since or when.hi.date(), fact.id)
        for fact, when, _ in ask.world.of(cases.Scrub)
        if fact.result == "disconnected" and fact.identifier and when.hi <= at
        if not ask.world.identity.keys(fact.identifier, blocking=True).isdisjoint(ask.own)
    ]
    return max(found, default=None)


def _there(row: Row, where: frozenset[Place]) -> bool:
    return any(
        row["country"] in ("*", place.country) and (row["region"] in ("", "*") or place.region in (None, row["region"]))
        for place in where
    )


def turning_points(ask: Ask) -> set[datetime]:
    """Times at which a receipt begins or ceases to be fresh, and at which a listing begins to bind."""
    found: set[datetime] = set()
    for row in guarding(ask):
        for _, when in receipts(ask, row):
            found.add(when.hi)
            if when.lo != LOW:
                found.add(when.lo + timedelta(days=max_days(ask, row)))
    return found
