"""Section 4: where somebody lives, how old one must be there, and what may be advertised there on which channel.

Places that disagree are all kept, and a rule must hold in each of them: so the strictest wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from orchestration.deciding import cases
from tests.oracle import identifiers as ids
from tests.oracle.rules import Row, in_force
from tests.oracle.times import plus_months
from tests.oracle.world import Ask, World, subject_record

NEVER = 999


@dataclass(frozen=True)
class Place:
    country: str
    region: str | None


@dataclass(frozen=True)
class Requirement:
    """One rule on age: an age in years, a birth before a day, or the year of turning an age."""

    kind: str  # age, born_before, year_of
    years: int = 0
    before: date | None = None


@dataclass(frozen=True)
class Signal:
    rank: int  # 0 ship-to, 1 billing, 2 location by internet address
    at: datetime
    place: Place
    id: str


RANKS = {"shipping": 0, "billing": 1, "location": 2}


def places(ask: Ask, at: datetime) -> tuple[frozenset[Place], bool]:
    """Where the users of an identifier live, and whether that is known; the shop's markets where it is not."""
    found: set[Place] = set()
    known = True
    for user in ask.users:
        theirs = _of_user(ask, user, at)
        known = known and bool(theirs)
        found |= theirs or {Place(country, None) for country in ask.world.policy["markets"]} or {Place("*", None)}
    return frozenset(found), known


def window(world: World) -> int:
    """Months within which signals that disagree all count."""
    return int(world.policy["jurisdiction_window_months"])


def signals(world: World, user: frozenset[str]) -> list[Signal]:
    """Everything dated that says where somebody is: record versions, and orders with their ship-to."""
    found = []
    for record in user:
        for version in world.identity.versions.get(record, ()):
            if version.fact.country:
                place = Place(version.fact.country.upper(), version.fact.region)
                found.append(Signal(RANKS[version.fact.place], version.when.hi, place, version.fact.id))
    for fact, when, _ in world.of(cases.Event):
        if fact.country and _whose(world, fact, user):
            found.append(Signal(0, when.hi, Place(fact.country.upper(), fact.region), fact.id))
    return found


def _whose(world: World, fact: cases.Event, user: frozenset[str]) -> bool:
    if fact.record or not fact.identifier:
        return subject_record(world, fact) in user
    keys = world.identity.keys(fact.identifier, blocking=False)
    versions = (version for record in user for version in world.identity.versions.get(record, ()))
    return any(not version.own.isdisjoint(keys) for version in versions)


def _of_user(ask: Ask, user: frozenset[str], at: datetime) -> set[Place]:
    """The newest ship-to, else billing, phone country, location; with whatever disagreed within 12 months."""
    told = [one for one in _signals(ask, user) if one.at <= at]
    found = {one.place for one in told if one.rank == 0 and plus_months(one.at, window(ask.world)) > at}
    # What a record shows it shows now, whenever it was last changed.
    shown = [version.fact for version in ask.current(user, at)]
    found |= {Place(fact.country.upper(), fact.region) for fact in shown if fact.country}
    phones = {version.phone for version in ask.current(user, at) if version.phone}
    if not ids.is_email(ask.raw or "@") and ask.target:
        phones.add(ask.target)
    countries = {ids.phone_country(phone) for phone in phones} - {None}
    for rank in (0, 1):
        ranked = [one for one in told if one.rank == rank]
        if ranked:
            newest = max(one.at for one in ranked)
            found |= {one.place for one in ranked if one.at == newest}
            break
    else:
        if not countries and told:
            newest = max(one.at for one in told)
            found |= {one.place for one in told if one.at == newest}
    # A number is a signal of its country alone: it disagrees with another country, and not with a region of its own.
    named = {place.country for place in found}
    # Nor does an address without its region speak against one that has it.
    regional = {place.country for place in found if place.region}
    found -= {place for place in found if place.region is None and place.country in regional}
    return found | {Place(country, None) for country in countries if country and country not in named}


def _signals(ask: Ask, user: frozenset[str]) -> list[Signal]:
    key = ("signals", user)
    if key not in ask.memory:
        ask.memory[key] = signals(ask.world, user)
    return ask.memory[key]


def requirements(world: World, category: str, where: frozenset[Place], day: date) -> frozenset[Requirement] | None:
    """Every rule on age for a category in all of these places; None where there is no lawful sale to anybody."""
    memory, key = world.rules.memory, (category, where, day)
    if key not in memory:
        told = [_requirement(row) for place in where for row in minimum_rows(world, category, place, day)]
        memory[key] = None if None in told else frozenset(told)
    return memory[key]


def _requirement(row: Row) -> Requirement | None:
    kind, value = row.get("kind") or "age", row.get("value") or row["minimum_age"]
    if kind == "born_before":
        return Requirement(kind, before=date.fromisoformat(value))
    return None if int(value) == NEVER else Requirement(kind, int(value))


def minimum_rows(world: World, category: str, place: Place, day: date) -> list[Row]:
    """The rows for a place: its region, else its country, else a parent category's there, else the world's.

    An unknown region takes 999 where the country has it, else the highest lawful age among the country's rows.
    """
    table = world.rules.minimum_ages
    lines = [category, *filter(None, [world.rules.parents.get(category)])]
    for name in lines:
        regions = table.get((name, place.country))
        if not regions:
            continue
        general = _now(regions.get("*", []), day)
        if place.region:
            exact = _now(regions.get(place.region.upper(), []), day)
            if exact or general:
                return exact or general
            continue
        if any(_years(row) == NEVER for row in general):
            return general
        every = [row for rows in regions.values() for row in _now(rows, day)]
        lawful = [row for row in every if (_years(row) or 0) != NEVER]
        if lawful:
            return [*_highest(lawful), *(row for row in lawful if _years(row) is None)]
        if every:
            return every
    for name in lines:
        if rows := _now(table.get((name, "*"), {}).get("*", []), day):
            return rows
    return [{"kind": "age", "value": str(NEVER), "minimum_age": str(NEVER)}]


def _now(rows: list[Row], day: date) -> list[Row]:
    return [row for row in rows if in_force(row, day)]


def _years(row: Row) -> int | None:
    value = row.get("value") or row["minimum_age"]
    return int(value) if (row.get("kind") or "age") != "born_before" else None


def _highest(rows: list[Row]) -> list[Row]:
    top = max((_years(row) or 0 for row in rows), default=0)
    return [row for row in rows if _years(row) == top]


def lawful_on_channel(world: World, category: str, channel: str, where: frozenset[Place], day: date) -> bool:
    """Whether a category may be advertised on a channel in all of these places; unknown is not."""
    table = world.rules.legality.get((category, channel))
    if table is None and category in world.rules.parents:
        table = world.rules.legality.get((world.rules.parents[category], channel))
    return table is not None and all(_lawful(world, table, place, day) for place in where)


def _lawful(world: World, table: dict[str, list[Row]], place: Place, day: date) -> bool:
    names = [f"{place.country}-{place.region.upper()}"] if place.region else []
    if not place.region:
        names = sorted(name for name in table if name.startswith(f"{place.country}-"))
    exact = [row for name in names for row in _now(table.get(name, []), day)]
    general = _now(table.get(place.country, []), day) or _now(table.get("*", []), day)
    rows = exact if place.region and exact else exact + general
    return bool(rows) and all(_allows(world, row) for row in rows)


def _allows(world: World, row: Row) -> bool:
    policy = row.get("unless_policy") or ""
    return row["lawful"] == "true" or bool(policy and world.policy.get(policy))


def rule_days(world: World, categories: tuple[str, ...], where: frozenset[Place]) -> set[date]:
    """Days on which a rule for these categories begins or ends in these places."""
    countries = {place.country for place in where} | {"*"}
    names = set(categories) | {world.rules.parents.get(one, one) for one in categories} | {"data_consent"}
    return {day for category, country, day in world.rules.dated if category in names and country in countries}
