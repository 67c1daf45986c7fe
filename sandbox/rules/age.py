"""How old somebody is proven to be, what speaks against it, and whether they were of age when they consented."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sandbox.facts import Order, Person, Record
from sandbox.rules import keys
from sandbox.rules.people import Holder, People

#: What forms and systems put in by themselves.
_DEFAULTS = frozenset({date(1, 1, 1), date(1899, 12, 30), date(1900, 1, 1), date(1970, 1, 1), date(2000, 1, 1)})
_OLDEST, _FLOOR = 115, 18
#: From which age on people consent to the use of their data themselves; where the place is unknown, the highest.
_OF_DATA: dict[object, int] = {("US", "CA"): 16, "US": 13, "GB": 13, "CA": 14}
#: A proof by a provider is bound to whoever ordered under its name within this time.
_ANCHOR_MONTHS = 24
_TICKS = {"21+": 21, "18+": 18}


def today(as_of: datetime) -> date:
    """The day it is where the day begins last: nobody's time zone is known."""
    return (as_of - timedelta(hours=12)).date()


def turns(born: date, years: int) -> date:
    """The birthday; who was born on 29 February has it on 1 March of a common year."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


@dataclass(frozen=True, slots=True)
class Proof:
    """An order tag of a provider: over 21 on a day, of the person who paid."""

    name: str
    order: Order

    @property
    def day(self) -> date:
        """When it was proven."""
        return self.order.placed_at.date()


class AgeOf:
    """The evidence about one person."""

    def __init__(self, person: Person, as_of: datetime) -> None:
        self.person, self.as_of, self.today = person, as_of, today(as_of)
        self.born = [(born, _name(person, r)) for r in person.records if (born := _credible(r.birth_date, self.today))]
        orders = [order for order in person.orders if order.placed_at < as_of]
        accounts = {record.record_id: _name(person, record) for record in person.records}
        accounts = {order.record_id: f"{person.first} {person.last}".casefold() for order in orders} | accounts
        tagged = [(_payer(order, accounts), order, _tags(order)) for order in orders]
        #: Proofs that bear another name than the account, or that no order has borne out of late, prove nothing.
        self.proofs = [
            Proof(name, order)
            for name, order, tags in tagged
            if "Age Verified" in tags and name == accounts[order.record_id] and self._is_anchored(name, order, tagged)
        ]
        self.failed = [order for _, order, tags in tagged if "Age Verification Failed" in tags]
        self.ticks = [r for r in person.records if r.tags in _TICKS or (r.platform == "hubspot" and _is_ticked(r))]

    def reasons(self, years: int) -> list[str]:
        """Why it is not proven, by a provider, that the person is of an age."""
        young = self.is_younger_than(years)
        failed = [one for one in self.failed if not any(p.order.placed_at > one.placed_at for p in self.proofs)]
        known = [born for born, _ in self.born]
        old = bool(self.proofs) or any(turns(born, years) <= self.today for born in known)
        weak = [] if self.proofs else ["age_level_low" if known or self.ticks else "age_no_evidence"]
        if young:
            return [*weak, "under_age", *(["age_conflict"] if old or failed else [])]
        return ["age_conflict", *weak] if failed else weak

    def could_consent(self, at: datetime, years: int) -> bool:
        """Whether nothing says that the person was too young when consenting; a later proof does not reach back."""
        day = (at - timedelta(hours=12)).date()
        return not any(
            turns(born, years) > day and not any(p.name == name and p.day <= day for p in self.proofs)
            for born, name in self.born
        )

    def is_younger_than(self, years: int) -> bool:
        """Whether a credible birth date says so."""
        return any(turns(born, years) > self.today for born in self._doubts())

    def _doubts(self) -> list[date]:
        """Birth dates that no proof of the same name outweighs."""
        return [born for born, name in self.born if all(proof.name != name for proof in self.proofs)]

    def _is_anchored(self, name: str, order: Order, tagged: list[tuple[str, Order, list[str]]]) -> bool:
        newest = max(other.placed_at for payer, other, _ in tagged if payer == name)
        months = newest.year * 12 + newest.month - 1 + _ANCHOR_MONTHS
        return date(months // 12, months % 12 + 1, min(newest.day, 28)) > self.as_of.date()


def is_minor(circle: Iterable[Holder], as_of: datetime) -> bool:
    """Whether anybody who may use these records is younger than restricted goods may ever be advertised to."""
    people = {holder.person.person: holder for holder in circle}.values()
    at_school = any(keys.at_school(raw) for holder in people for record in holder.person.records for raw in record.own)
    return at_school or any(AgeOf(holder.person, as_of).is_younger_than(_FLOOR) for holder in people)


def is_child(circle: Iterable[Holder], as_of: datetime) -> bool:
    """Whether anybody who may use these records is too young to be written to at all."""
    people = {holder.person.person: holder.person for holder in circle}.values()
    return any(AgeOf(person, as_of).is_younger_than(of_data_consent(person)) for person in people)


def of_data_consent(person: Person) -> int:
    """The age of own consent where somebody lives; the highest of all where that is unknown."""
    places = {(record.country, record.region) for record in person.records if record.country}
    ages = [_OF_DATA.get(place) or _OF_DATA.get(place[0] or "", 16) for place in places]
    return max(ages, default=16)


def others(people: People, person: Person, identifier: str) -> list[Person]:
    """Who else uses an address."""
    found = {id(holder.person): holder for holder in people.holders_of(identifier) if identifier in holder.record.own}
    own = {id(record) for record in person.records}
    parts = [part for holder in found.values() for part in people.targets(holder.person)]
    return [
        part
        for part in parts
        if any(identifier in record.own for record in part.records)
        and own.isdisjoint(id(record) for record in part.records)
    ]


def _credible(text: str | None, day: date) -> date | None:
    try:
        born = date.fromisoformat(text or "")
    except ValueError:
        return None
    return born if born < day and born not in _DEFAULTS and turns(born, _OLDEST) > day else None


def _is_ticked(record: Record) -> bool:
    return bool(record.birth_date) and int(record.record_id or 1) % 2 == 0


def _name(person: Person, record: Record) -> str:
    return " ".join(record.names or (person.first, person.last)).casefold()


def _payer(order: Order, accounts: dict[str, str]) -> str:
    return " ".join(order.payer).casefold() if order.payer else accounts[order.record_id]


def _tags(order: Order) -> list[str]:
    return [tag.strip() for tag in order.tags.split(",")]
