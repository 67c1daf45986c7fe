"""Whether an identifier may be written to on a channel: what stands against it, and what was granted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sandbox.facts import Facts, Person, Record, Statement, valid_email, valid_phone
from sandbox.rules import keys
from sandbox.rules.people import People

#: A double opt-in after them shows that the address works, and that its owner wants mail.
_LIFTED = frozenset({"invalid_address", "hard_bounce", "spam_complaint"})


class Consents:
    """Everything that was said and that blocks, found by what it reaches."""

    def __init__(self, facts: Facts, people: People, as_of: datetime) -> None:
        self.people, self.as_of = people, as_of
        self._closing: dict[tuple[str, object], list[Statement]] = {}
        self._granted: dict[tuple[str, str], list[Statement]] = {}
        self._blocks: dict[str, list[tuple[str, datetime]]] = {}
        self._erased: dict[int, datetime] = {}
        for person in facts.people.values():
            for said in person.statements:
                if self._when(said) > as_of:
                    continue
                if said.state == "withdrawn":
                    for reached in self._reach(person, said):
                        self._closing.setdefault((said.channel, reached), []).append(said)
                else:
                    self._granted.setdefault((said.channel, _key(said.identifier)), []).append(said)
            for block in person.blocks:
                if block.at <= as_of:
                    for key in keys.wide(block.identifier):
                        self._blocks.setdefault(key, []).append((block.kind, block.at))
            if person.erased_at and person.erased_at <= as_of:
                for record in person.records:
                    self._erased[people.circle_of(record)] = person.erased_at

    def erased_at(self, records: Iterable[Record]) -> datetime | None:
        """When somebody who may be the same asked to be forgotten."""
        circles = {self.people.circle_of(record) for record in records}
        return max((self._erased[circle] for circle in circles if circle in self._erased), default=None)

    def against(
        self, channel: str, identifier: str, records: list[Record], places: set[str], bought: bool
    ) -> list[str]:
        """Every reason why an identifier of these records may not be written to; empty if it may.

        `bought` is a purchase with it within two years: in Canada that is consent to mail, unless there was an opt-out.
        """
        reasons = ["invalid_address"] if keys.is_nobodys(identifier) else []
        granted = self._granted.get((channel, identifier), [])
        acts = [self._when(said) for said in granted if said.is_act and said.sender == "*"]
        erased = self.erased_at(records)
        if erased and not any(at > erased for at in acts):
            reasons.append("erased")
        confirmed = [self._when(said) for said in granted if said.state == "granted_confirmed"]
        for key in keys.wide(identifier):
            for kind, at in self._blocks.get(key, ()):
                if not (kind in _LIFTED and any(later > at for later in confirmed)):
                    reasons.append(kind)
        reached: set[object] = set(keys.wide(identifier))
        reached |= {self.people.circle_of(record) for record in records if identifier in record.own}
        closing = [self._when(said) for one in reached for said in self._closing.get((channel, one), ())]
        if closing and not any(at > max(closing) for at in acts):
            reasons.append("withdrawn")
        if not (places == {"CA"} and bought and channel == "email" and not closing):
            reasons += self._missing(channel, identifier, granted, erased, abroad=bool(places - {"US"}))
        return list(dict.fromkeys(reasons))

    def _missing(
        self, channel: str, identifier: str, said: list[Statement], erased: datetime | None, *, abroad: bool
    ) -> list[str]:
        """Why there is no grant: the nearest thing to one that was said or shown."""
        grants = [one for one in said if one.state.startswith("granted") and one.sender == "*"]
        grants = [one for one in grants if erased is None or self._when(one) > erased]
        # Outside the United States only what the person gave expressly counts.
        if any(not (abroad and one.imported) for one in grants):
            return []
        if any(one.state == "pending" for one in said):
            return ["pending"]
        shown = [holder.record.platform for holder in self.people.holders_of(identifier)]
        mailers = {"shopify", "klaviyo", "hubspot"} if channel == "email" else {"shopify", "klaviyo"}
        silent = mailers.intersection(shown) - {one.platform for one in grants}
        return ["unknown" if silent else "no_grant"]

    def granted_at(self, channel: str, identifier: str) -> datetime | None:
        """When the newest grant of an identifier was given."""
        said = self._granted.get((channel, identifier), [])
        grants = [one for one in said if one.state.startswith("granted") and one.sender == "*"]
        return max((self._when(one) for one in grants), default=None)

    def _reach(self, person: Person, said: Statement) -> set[object]:
        """What a withdrawal closes: every spelling of its identifier, and whoever may be the person that made it."""
        reached: set[object] = set(keys.wide(said.identifier))
        for record in person.at(said.platform) or person.records:
            if said.identifier in record.own:
                reached.add(self.people.circle_of(record))
        return reached

    def _when(self, said: Statement) -> datetime:
        """The time of a statement; one that claims to come from the future was made by the time we heard of it."""
        return min(said.at, said.heard_at) if said.heard_at else said.at


def _key(identifier: str) -> str:
    return valid_email(identifier) or valid_phone(identifier) or identifier
