"""Section 5: what evidence proves about somebody's age, what it says against it, and consent of the young."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Literal
from zoneinfo import ZoneInfo

from orchestration.deciding import cases
from tests.oracle import assumed
from tests.oracle import identifiers as ids
from tests.oracle.age_evidence import (
    Evidence,
    Requirements,
    anchors,
    around,
    expiry,
    identifiers_of,
)
from tests.oracle.statement import Statement
from tests.oracle.times import (
    LAST_PLACE,
    LOW,
    day_in_year,
    full_years,
    local_day,
    midnight,
    plus_months,
    zone,
)
from tests.oracle.world import Ask, subject_record

Capacity = Literal["yes", "no", "unproven"]


def where_of(ask: Ask, at: datetime) -> timezone | ZoneInfo:
    """The zone of an identifier's users; where they have several or none is known, the last place on earth."""
    names = {version.fact.time_zone for version in ask.current(ask.owned, at) if version.fact.time_zone}
    return zone(next(iter(names))) if len(names) == 1 else LAST_PLACE


class AgeOf:
    """The evidence around one identifier, judged at one time."""

    def __init__(self, ask: Ask, at: datetime, erased_at: datetime | None = None) -> None:
        self.ask, self.at, self.world = ask, at, ask.world
        self.where = where_of(ask, at)
        self.today = local_day(at, self.where)
        everything = [one for one in around(ask) if not self._too_old(one)]
        self.heard = [one for one in everything if one.known_from <= at]
        # Section 2, rule 16: nothing from before an erasure revives, but for what speaks against somebody.
        alive = [one for one in everything if one.since and one.when.hi <= at]
        self.alive = [one for one in alive if erased_at is None or one.when.lo > erased_at]
        self.proofs = {user: self._proofs_of(user) for user in ask.users}

    def _proofs_of(self, user: frozenset[str]) -> list[Evidence]:
        return [one for one in self.alive if self._proves(one, user)]

    def _too_old(self, one: Evidence) -> bool:
        """Nobody is credibly older than 115 years: such a birth date is no evidence."""
        return one.kind == "dob" and one.since is not None and full_years(one.since, self.today) > assumed.OLDEST_AGE

    # -- what proves ---------------------------------------------------------------------------------------------

    def _proves(self, one: Evidence, user: frozenset[str]) -> bool:
        """Whether evidence belongs to a user, has not expired and is still bound to the same person."""
        return one.record in user and one.when.lo != LOW and self._fresh(one) and self._bound(one, user)

    def _fresh(self, one: Evidence) -> bool:
        end = expiry(self.world, one)
        return end is None or self.at < end

    def _bound(self, one: Evidence, user: frozenset[str]) -> bool:
        now = self.ask.current(user, self.at)
        own = next((version for version in now if version.record == one.record), None)
        named = ids.name_key(own.fact.name) if own else ""
        names = {named} if named else {ids.name_key(version.fact.name) for version in now} - {""}
        if one.name and names and one.name not in names:
            return False  # bound to another name, or the name has changed since
        if one.level < 4:
            return True
        bound = identifiers_of(self.world, one)
        current = frozenset().union(*(version.targets for version in now))
        if bound and current and bound.isdisjoint(current):
            return False  # both address and number have changed
        return self._anchored(one, user, bound) and not self._taken_over(one, user)

    def _anchored(self, one: Evidence, user: frozenset[str], bound: frozenset[str]) -> bool:
        """The check itself, or an order or login under the same name and identifier, within 24 months."""
        times = [one.when.lo, *anchors(self.ask, one, user, bound)]
        return any(lo != LOW and lo <= self.at < plus_months(lo, assumed.ANCHOR_MONTHS) for lo in times)

    def _taken_over(self, one: Evidence, user: frozenset[str]) -> bool:
        return any(
            fact.name in assumed.TAKEOVERS
            and subject_record(self.world, fact) in user
            and one.when.lo <= when.hi
            and when.lo <= self.at
            for fact, when, _ in self.world.of(cases.Event)
        )

    # -- what speaks against -------------------------------------------------------------------------------------

    def against(self, wanted: Requirements, day: date) -> list[Evidence]:
        """Everything that says on a day that somebody is too young or failed a check, and that nothing overrules."""
        return [one for one in self.heard if self._accuses(one, wanted, day) and not self._overruled(one, wanted, day)]

    @staticmethod
    def _accuses(one: Evidence, wanted: Requirements, day: date) -> bool:
        if one.kind == "dob":
            return not one.meets(wanted, day)
        return one.kind in ("under", "fail")

    def _overruled(self, one: Evidence, wanted: Requirements, day: date) -> bool:
        """A higher level of the same person overrules a birth date; a failed check waits for a later, not lower one.

        A failed gate and then an older birth date, typed again, is a conflict and no correction. What is settled about
        a person is settled for whoever else their evidence might speak against.
        """
        theirs = self.world.identity.proof.get(one.record) if one.record else None
        for user in {*self.proofs, *([theirs] if theirs else [])}:
            for proof in self.proofs.get(user) or self._proofs_of(user):
                if not proof.meets(wanted, day):
                    continue
                if one.kind == "dob" and proof.level > one.level and self._same_person(one, proof, user):
                    return True
                later = proof.when.lo > one.when.hi and proof.level >= one.level
                gate = one.level <= 2 and proof.level <= 2
                if one.kind != "dob" and later and not gate and self._same_person(one, proof, user):
                    return True
        return False

    def _same_person(self, one: Evidence, proof: Evidence, user: frozenset[str]) -> bool:
        told = self.world.verdicts.get(one.id, set())
        if told & {"same_person", "other_person"}:
            return "other_person" not in told
        return one.name == proof.name if one.name and proof.name else one.record in user

    # -- answers -------------------------------------------------------------------------------------------------

    def codes(self, wanted: Requirements, level: int) -> list[tuple[str, list[str]]]:
        """Why age is not proven for a category, for every user of the identifier; empty if it is."""
        reasons: list[tuple[str, list[str]]] = []
        accusers = self.against(wanted, self.today)
        for user in self.ask.users:
            proofs = self.proofs[user]
            enough = [one for one in proofs if one.level >= level and one.meets(wanted, self.today)]
            if enough:
                continue
            # What is said of somebody else is no evidence of this user's age: all reasons are recorded.
            theirs = [one for one in accusers if one.record is None or one.record in user]
            if any(one.level >= level for one in proofs):
                if not any(one.kind == "dob" for one in theirs):
                    reasons.append(("age_level_low", [one.id for one in proofs]))
            elif proofs:
                reasons.append(("age_level_low", [one.id for one in proofs]))
            elif not any(one.kind in ("dob", "under") for one in theirs):
                reasons.append(("age_no_evidence", []))
        satisfied = any(one.meets(wanted, self.today) for proofs in self.proofs.values() for one in proofs)
        for one in accusers:
            if one.kind == "fail" or satisfied:
                reasons.append(("age_conflict", [one.id]))
            if one.kind != "fail":
                reasons.append(("under_age", [one.id]))
        return reasons

    def proving(self, wanted: Requirements, level: int) -> list[str]:
        """The evidence that proves the age of all users."""
        return [
            one.id
            for proofs in self.proofs.values()
            for one in proofs
            if one.level >= level and one.meets(wanted, self.today)
        ]

    def minors(self, limits: Requirements) -> list[str]:
        """Credible evidence that somebody here is younger than a limit; UNDER n tells of limits from n on."""
        return [
            one.id
            for one in self.against(limits, self.today)
            if one.kind == "dob" or (one.kind == "under" and any(0 < one.years <= rule.years for rule in limits))
        ]

    def capacity(self, consent: Statement, wanted: Requirements, level: int) -> Capacity:
        """Whether the users were of age when consenting, judged with everything known now."""
        last, first = local_day(consent.when.hi, self.where), local_day(consent.when.lo, self.where)
        if any(one.kind == "dob" for one in self.against(wanted, last)):
            return "no"
        for user in self.ask.users:
            if not any(one.level >= level and one.meets(wanted, first) for one in self.proofs[user]):
                return "unproven"
        return "unproven" if any(one.kind == "dob" for one in self.against(wanted, first)) else "yes"


def turning_points(ask: Ask, wanted: Requirements) -> set[datetime]:
    """Times at which evidence begins, ends, loses its binding, or comes to prove an age."""
    found: set[datetime] = set()
    heard = around(ask)
    zones = {
        zone(version.fact.time_zone) for record in ask.owned for version in ask.world.identity.versions[record]
    } | {LAST_PLACE}
    for one in heard:
        found |= {one.known_from, one.when.hi}
        if end := expiry(ask.world, one):
            found.add(end)
        days = {day for rule in wanted if (day := one.day_of(rule))}
        if one.kind == "dob" and one.since:
            days.add(day_in_year(one.since, one.since.year + assumed.OLDEST_AGE + 1))
        found |= {midnight(day, where) for day in days for where in zones}
        if one.level >= 4 and one.since:
            for user in ask.users:
                times = [one.when.lo, *anchors(ask, one, user, identifiers_of(ask.world, one))]
                found |= {plus_months(lo, assumed.ANCHOR_MONTHS) for lo in times}
    return found
