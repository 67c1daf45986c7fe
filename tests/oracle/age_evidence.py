"""Section 5: evidence of age as the platforms wrote it, when it expires, and what binds it to a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from orchestration.deciding import cases
from tests.oracle import assumed, birth_dates
from tests.oracle import identifiers as ids
from tests.oracle.identity import Node
from tests.oracle.places import Requirement
from tests.oracle.times import LOW, Interval, day_in_year, full_years, local_day, plus_months, zone
from tests.oracle.world import Ask, World, subject_record

Requirements = frozenset[Requirement]


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence: `since` and `years` say that somebody was `years` old on that day, at least or just so."""

    id: str
    kind: str  # dob, over, under, fail
    level: int
    since: date | None
    years: int
    when: Interval
    recorded: datetime
    expires: datetime | None
    name: str
    identifier: str | None  # the narrow key it is bound to
    record: str | None
    nodes: frozenset[Node]

    @property
    def known_from(self) -> datetime:
        return min(self.when.lo, self.recorded)

    def meets(self, wanted: Requirements, day: date) -> bool:
        """Whether it proves on a day that somebody is as old as all rules want; an OVER says nothing before its day."""
        told = self.since is not None and (self.kind == "dob" or day >= self.since)
        return told and all(self._meets(one, day) for one in wanted)

    def _meets(self, wanted: Requirement, day: date) -> bool:
        assert self.since is not None
        if wanted.kind == "age":
            return day > date.min and self.years + full_years(self.since, day) >= wanted.years
        born = day_in_year(self.since, self.since.year - self.years)
        if wanted.kind == "born_before":
            return wanted.before is not None and born < wanted.before
        return day.year - born.year >= wanted.years

    def day_of(self, wanted: Requirement) -> date | None:
        """The first day on which it meets a rule on age, None if no day changes that."""
        if self.since is None or wanted.kind == "born_before":
            return None
        if wanted.kind == "year_of":
            return date(self.since.year - self.years + wanted.years, 1, 1)
        return day_in_year(self.since, self.since.year - self.years + wanted.years)


def evidence(world: World) -> list[Evidence]:
    """All evidence of age that is known, as the platforms wrote it."""
    found = [_read(world, fact, when, recorded) for fact, when, recorded in world.of(cases.Age)]
    return sorted((one for one in found if one), key=lambda one: (one.when.hi, one.id))


def _read(world: World, fact: cases.Age, when: Interval, recorded: datetime) -> Evidence | None:
    kind: str = fact.kind
    level, threshold = fact.level or 0, fact.threshold
    if kind == "tag":
        rows = world.rules.tags.get((fact.platform, fact.value or "")) or world.rules.tags.get(
            ("*", fact.value or ""), []
        )
        if len({row["kind"] for row in rows}) != 1:  # a tag that nobody knows, or that says two things, proves nothing
            return None
        kind = rows[0]["kind"]
        # Where it may be of several objects: the weakest proof, and the strongest objection.
        level = (max if kind in ("under", "fail") else min)(int(row["level"]) for row in rows)
        thresholds = [int(row["threshold"]) for row in rows if row["threshold"]]
        threshold = min(thresholds) if thresholds else fact.threshold
    if kind not in ("dob", "over", "under", "fail"):
        return None
    since, years = None, 0
    if kind == "dob":
        since = birth_dates.read(fact.value or "", level, recorded.date(), world.rules.placeholders, assumed.OLDEST_AGE)
        if since is None:
            return None
    elif kind == "over" and threshold is not None:
        where = _zone_of(world, fact, when.hi)
        since, years = max(when.hi.date(), local_day(when.hi, where)), threshold
    elif kind == "under":
        years = threshold or 0
    record = subject_record(world, fact)
    own: frozenset[Node] = frozenset({record}) if record else frozenset()
    if fact.bound_identifier and not fact.record:
        own |= world.identity.keys(fact.bound_identifier, blocking=True)
    return Evidence(
        id=fact.id,
        kind=kind,
        level=level,
        since=since,
        years=years,
        when=when,
        recorded=recorded,
        expires=fact.expires,
        name=ids.name_key(fact.bound_name) or name_of(world, record, when.hi),
        identifier=world.identity.target(fact.bound_identifier),
        record=record,
        nodes=own,
    )


def _zone_of(world: World, fact: cases.Age, at: datetime) -> timezone | ZoneInfo:
    record = subject_record(world, fact)
    version = world.identity.version(record, at) if record else None
    return zone(version.fact.time_zone if version else None)


def name_of(world: World, record: str | None, at: datetime) -> str:
    version = world.identity.version(record, at) if record else None
    return ids.name_key(version.fact.name) if version else ""


def around(ask: Ask) -> list[Evidence]:
    """The evidence in the wide circle of an identifier."""
    if "evidence" not in ask.memory:
        everything = ask.world.__dict__.setdefault("_evidence", evidence(ask.world))
        ask.memory["evidence"] = [one for one in everything if not one.nodes.isdisjoint(ask.around | ask.owned)]
    return ask.memory["evidence"]


def expiry(world: World, one: Evidence) -> datetime | None:
    """When evidence stops to prove anything: as its level does (L1 to L3), or as it says itself."""
    ends = [one.expires] if one.expires else []
    row = world.rules.expiry.get(one.level)
    if row and row["expires_after"]:
        after, years = int(row["expires_after"]), row["expires_unit"] == "years"
        later = plus_months(one.when.lo, 12 * after) if years or one.when.lo == LOW else one.when.lo + timedelta(after)
        ends.append(later)
    return min(ends, default=None)


def anchors(ask: Ask, one: Evidence, user: frozenset[str], bound: frozenset[str]) -> list[datetime]:
    """Times of orders and logins of a user under the name and an identifier of the evidence."""
    world, found = ask.world, []
    for fact, when, _ in world.of(cases.Event):
        if fact.name not in assumed.ORDERS | assumed.LOGINS or when.lo == LOW or when.lo != when.hi:
            continue
        record = subject_record(world, fact) if fact.record or not fact.identifier else None
        target = world.identity.target(fact.identifier)
        if record is not None and record not in user:
            continue
        if target is not None and bound and target not in bound:
            continue
        if record is None and target not in bound:
            continue
        name = ids.name_key(fact.person_name) or name_of(world, record or one.record, when.hi)
        if not one.name or not name or name == one.name:
            found.append(when.lo)
    return found


def identifiers_of(world: World, one: Evidence) -> frozenset[str]:
    version = world.identity.version(one.record, one.when.hi) if one.record else None
    told = version.targets if version else frozenset()
    return told | ({one.identifier} if one.identifier else frozenset())
