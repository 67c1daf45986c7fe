"""Who is one person: wide, for whatever blocks, and narrow, for whatever is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

from sandbox.facts import Facts, Person, Record, valid_email
from sandbox.rules import keys

#: A key with more names, or more records of one platform, is nobody's in particular.
_NAMES, _RECORDS = 3, 5


@dataclass(slots=True)
class Holder:
    """A record with whose it is and the circle of those who may be the same."""

    person: Person
    record: Record
    circle: int = 0

    @property
    def name(self) -> str:
        """The name at the account, to compare by."""
        names = self.record.names or (self.person.first, self.person.last)
        return " ".join(names).casefold()


class People:
    """Everybody of a population, joined."""

    def __init__(self, facts: Facts) -> None:
        self.holders = [Holder(person, record) for person in facts.people.values() for record in person.records]
        self._of_person: dict[str, list[Holder]] = defaultdict(list)
        for holder in self.holders:
            self._of_person[holder.person.person].append(holder)
        #: The records that answer to a key.
        self.by_key: dict[str, list[Holder]] = defaultdict(list)
        for holder in self.holders:
            for key in {one for raw in holder.record.own for one in keys.wide(raw)}:
                self.by_key[key].append(holder)
        self.crowded = {key for key, held in self.by_key.items() if len(held) > _NAMES and _is_crowded(held)}
        self._draw_circles()

    def is_shared(self, key: str) -> bool:
        """Whether an address is an office's, or so many people's that it is nobody's in particular."""
        return keys.is_role(key) or not self.crowded.isdisjoint(keys.wide(key))

    def circle_of(self, record: Record) -> int:
        """The circle of a record."""
        return self._circles[id(record)]

    def circle(self, number: int) -> list[Holder]:
        """The records of a circle."""
        return self._members[number]

    def holders_of(self, raw: str) -> list[Holder]:
        """The records whose identifiers may be the same as this one."""
        found = {id(holder): holder for key in keys.wide(raw) for holder in self.by_key.get(key, ())}
        return list(found.values())

    def targets(self, person: Person) -> list[Person]:
        """The person as the shop may know them: parts whose records nothing but a number joins stand apart.

        Joined for sending are records that carry the same registrant id, or the same address under the same name.
        """
        own = self._of_person[person.person]
        groups = _united([(number, self._narrow(holder)) for number, holder in enumerate(own)])
        if len(groups) < 2:
            return [person]
        parts = []
        for group in groups:
            records = [own[number].record for number in group]
            shops = {record.record_id for record in records if record.platform == "shopify"}
            told = any(record.platform in ("klaviyo", "hubspot") for record in records)
            parts.append(
                replace(
                    person,
                    records=records,
                    orders=[order for order in person.orders if order.record_id in shops],
                    registrations=person.registrations if told else [],
                    registrant_id=next((record.registrant_id for record in records if record.registrant_id), None),
                )
            )
        return parts

    def _narrow(self, holder: Holder) -> list[Hashable]:
        email, found = valid_email(holder.record.email), list[Hashable]()
        if email and keys.joins(email) and not self.is_shared(email):
            found.append((email, holder.name))
        if holder.record.registrant_id:
            found.append(holder.record.registrant_id)
        return found

    def _draw_circles(self) -> None:
        shown = []
        for number, holder in enumerate(self.holders):
            found: list[Hashable] = [key for raw in holder.record.own if keys.joins(raw) for key in keys.wide(raw)]
            found = [key for key in found if key not in self.crowded]
            shown.append((number, found + ([holder.record.registrant_id] if holder.record.registrant_id else [])))
        self._members: list[list[Holder]] = []
        self._circles: dict[int, int] = {}
        for circle, group in enumerate(_united(shown)):
            self._members.append([self.holders[number] for number in group])
            for number in group:
                self.holders[number].circle = circle
                self._circles[id(self.holders[number].record)] = circle


def _is_crowded(held: list[Holder]) -> bool:
    platforms = [holder.record.platform for holder in held]
    names = {holder.name for holder in held if holder.record.platform != "twilio"}
    return len(names) > _NAMES or max(map(platforms.count, set(platforms))) > _RECORDS


def _united(shown: Iterable[tuple[int, list[Hashable]]]) -> list[list[int]]:
    """Numbers that share something, directly or by others, together; in order."""
    leader: dict[int, int] = {}
    first: dict[Hashable, int] = {}

    def find(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for number, found in shown:
        leader[number] = number
        for key in found:
            one, other = sorted((find(number), find(first.setdefault(key, number))))
            leader[other] = one
    groups: dict[int, list[int]] = defaultdict(list)
    for number in leader:
        groups[find(number)].append(number)
    return list(groups.values())
