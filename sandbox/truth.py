"""What must be true, read from the facts in plain Python: who belongs in which audience, who does not, and why.

Independent of the product on purpose: no code, table or query is shared. Windows are half-open, [as_of - n days,
as_of), of 24-hour days in UTC. The first reason of a person is the lead reason. A person whose records nothing joins
for certain is several: "p0000007" and "p0000007.2".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.facts import Facts, Order, Person, valid_email, valid_phone
from sandbox.rules import age, registries
from sandbox.rules.consent import Consents
from sandbox.rules.people import Holder, People
from sandbox.rules.places import countries

REASONS = (
    "erased", "minor", "registry_hit", "registry_stale", "category_prohibited_on_channel", "invalid_address",
    "hard_bounce", "carrier_block", "spam_complaint", "manual_block", "withdrawn", "held_for_review", "no_grant",
    "pending", "unknown", "jurisdiction_unknown", "age_no_evidence", "age_level_low", "age_conflict", "under_age",
    "capacity_void", "identity_ambiguous", "no_identifier", "left",
)  # fmt: skip
#: Reasons against the goods; the funnel counts those who consented before those of age.
_OF_AGE = frozenset({
    "minor", "registry_hit", "registry_stale", "category_prohibited_on_channel", "jurisdiction_unknown",
    "age_no_evidence", "age_level_low", "age_conflict", "under_age", "capacity_void", "identity_ambiguous",
})  # fmt: skip
_LAWFUL_AGE = 21  # for vapes, everywhere in the United States; elsewhere here they may not be advertised by mail
_TWO_YEARS = timedelta(days=730)
_LEAVING_TAG = "buyer"
_ENOUGH = {"USD": Decimal(500), "CAD": Decimal(700), "GBP": Decimal(400)}


@dataclass(frozen=True, slots=True)
class Audience:
    """One audience: its channel, category, rule, and where its members go (platform -> list or tag).

    Channel none tells a platform whom to leave alone: it needs no consent, and goes to registrants by their own ids.
    """

    channel: str
    category: str
    interested: Callable[[Person, datetime], bool]
    destinations: dict[str, str]


@dataclass(slots=True)
class Outcome:
    """One person in one audience; no reasons means in. `traits` are values a destination may be given."""

    reasons: list[str]
    identifiers: list[str] = field(default_factory=list)
    identified: bool = False
    consented: bool = False
    of_age: bool = False
    traits: dict[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """The lead reason, or "ok"."""
        return self.reasons[0] if self.reasons else "ok"


class Truth:
    """The truth at one moment; facts that lie at or after `as_of` have not happened yet."""

    def __init__(self, facts: Facts, as_of: datetime) -> None:
        self.facts, self.as_of = facts, as_of
        self.joined = People(facts)
        self.consents = Consents(facts, self.joined, as_of)
        self.people: dict[str, Person] = {}
        for name, person in facts.people.items():
            for number, part in enumerate(self.joined.targets(person), 1):
                self.people[name if number == 1 else f"{name}.{number}"] = part

    def outcomes(self, audience: str) -> dict[str, Outcome]:
        """Everyone whom the audience's rule is interested in, by person."""
        rule = AUDIENCES[audience]
        interested = ((name, person) for name, person in self.people.items() if rule.interested(person, self.as_of))
        return {name: self._judge(rule, person) for name, person in interested}

    def expected_members(self, audience: str) -> dict[str, set[str]]:
        """The record ids that each destination must hold, by platform."""
        rule = AUDIENCES[audience]
        found: dict[str, set[str]] = {platform: set() for platform in rule.destinations}
        for name, outcome in self.outcomes(audience).items():
            person = self.people[name]
            if outcome.reasons:
                continue
            if rule.channel == "none":
                found["aevent"] |= {person.registrant_id} if person.registrant_id else set()
                continue
            for record in person.records:
                key = valid_email(record.email) if rule.channel == "email" else valid_phone(record.phone)
                if record.platform in found and key in outcome.identifiers:
                    found[record.platform].add(record.record_id)
        return found

    def funnel(self, audience: str) -> dict[str, int]:
        """How many people are left after each step."""
        outcomes = list(self.outcomes(audience).values())
        return {
            "interested": len(outcomes),
            "identified": sum(outcome.identified for outcome in outcomes),
            "consented": sum(outcome.consented for outcome in outcomes),
            "of_age": sum(outcome.of_age for outcome in outcomes),
            "accepted": sum(not outcome.reasons for outcome in outcomes),
        }

    def document(self) -> dict[str, Any]:
        """Everything above as JSON."""
        audiences: dict[str, Any] = {}
        for name, rule in AUDIENCES.items():
            members = self.expected_members(name)
            audiences[name] = {
                "channel": rule.channel,
                "members": {
                    platform: {"target": target, "records": sorted(members[platform])}
                    for platform, target in rule.destinations.items()
                },
                "people": {
                    person: {"in": not outcome.reasons, "reason": outcome.reason, "reasons": outcome.reasons,
                             "identifiers": outcome.identifiers, "traits": outcome.traits}
                    for person, outcome in self.outcomes(name).items()
                },
                "funnel": self.funnel(name),
            }  # fmt: skip
        return {"as_of": self.as_of.isoformat(), "audiences": audiences}

    def _judge(self, rule: Audience, person: Person) -> Outcome:
        if rule.channel == "none":
            erased = self.consents.erased_at(person.records)
            return Outcome(["erased"] if erased else [], [], True, True, True)
        kind = "email" if rule.channel == "email" else "phone"
        identifiers = person.identifiers(kind)
        against = {key: self._against(rule, person, key) for key in identifiers}
        good = [key for key, reasons in against.items() if not reasons]
        reasons = [] if good else [reason for found in against.values() for reason in found]
        consented = any(_OF_AGE.issuperset(found) for found in against.values())
        if not identifiers:
            reasons.append("no_identifier")
            reasons += ["erased"] if self.consents.erased_at(person.records) else []
        if rule is AUDIENCES["webinar_follow_up"] and self._left(person):
            reasons.append("left")
        ordered = sorted(set(reasons), key=REASONS.index)
        traits = _traits(rule, person, self.as_of)
        return Outcome(ordered, [] if ordered else good, bool(identifiers), consented, bool(good), traits)

    def _against(self, rule: Audience, person: Person, identifier: str) -> list[str]:
        # The law of every place where a known user of the identifier may live.
        homes = [countries(user, self.as_of) for user in (person, *age.others(self.joined, person, identifier))]
        places = set().union(*homes)
        reasons = self.consents.against(
            rule.channel, identifier, person.records, places, self._bought_with(person, identifier)
        )
        circle = self._circle(person)
        if not all(homes):
            reasons.append("jurisdiction_unknown")
        if age.is_child(circle, self.as_of):
            reasons.append("minor")
        granted = self.consents.granted_at(rule.channel, identifier)
        if granted and not age.AgeOf(person, self.as_of).could_consent(granted, age.of_data_consent(person)):
            reasons.append("capacity_void")
        reasons += registries.against(self.facts.receipts, rule.channel, rule.category, identifier, granted, self.as_of)
        if rule.category != "none":
            reasons += self._against_goods(person, identifier, places, granted)
            reasons += ["minor"] if age.is_minor(circle, self.as_of) else []
        return reasons

    def _bought_with(self, person: Person, identifier: str) -> bool:
        """Whether the person gave the identifier when they bought something within two years."""
        accounts = {record.record_id for record in person.at("shopify") if identifier in record.own}
        return any(
            order.record_id in accounts and self.as_of - _TWO_YEARS < order.placed_at < self.as_of
            for order in person.orders
        )

    def _against_goods(self, person: Person, identifier: str, places: set[str], granted: datetime | None) -> list[str]:
        """What speaks against mail about vapes; where the place is unknown, the strictest of the markets rules."""
        reasons = [] if places == {"US"} else ["category_prohibited_on_channel"]
        shared = self.joined.is_shared(identifier)
        reasons += ["identity_ambiguous"] if shared else []
        # Whoever else uses the address must be of age too; who uses a shared one nobody can tell.
        for user in (person, *(() if shared else age.others(self.joined, person, identifier))):
            reasons += age.AgeOf(user, self.as_of).reasons(_LAWFUL_AGE)
        if granted and not age.AgeOf(person, self.as_of).could_consent(granted, _LAWFUL_AGE):
            reasons.append("capacity_void")
        return reasons

    def _left(self, person: Person) -> bool:
        """Whether they, or somebody who may be the same person, bought since they registered."""
        since = min(_within(person.registrations, 14, self.as_of))
        circle = self._circle(person)
        shown = {holder.record.record_id for holder in circle if holder.record.platform == "shopify"}
        people = {holder.person.person: holder.person for holder in circle}.values()
        return any(
            _bought_since(one, [order for order in one.orders if order.record_id in shown], since, self.as_of)
            for one in people
        )

    def _circle(self, person: Person) -> list[Holder]:
        numbers = {self.joined.circle_of(record) for record in person.records}
        return [holder for number in sorted(numbers) for holder in self.joined.circle(number)]


def _bought_since(person: Person, orders: list[Order], since: datetime, as_of: datetime) -> bool:
    tagged = [tag.at for tag in person.tags if tag.name.casefold() == _LEAVING_TAG]
    return any(since <= at < as_of for at in (*(order.placed_at for order in orders), *tagged))


def _bought_after_registering(person: Person, as_of: datetime) -> bool:
    registered = _within(person.registrations, 14, as_of)
    return bool(registered) and _bought_since(person, _counted(person, None, as_of), min(registered), as_of)


def _within(times: list[datetime], days: int, as_of: datetime) -> list[datetime]:
    return [at for at in times if as_of - timedelta(days=days) <= at < as_of]


def _counted(person: Person, days: int | None, as_of: datetime) -> list[Order]:
    least = datetime.min.replace(tzinfo=as_of.tzinfo) if days is None else as_of - timedelta(days=days)
    return [order for order in person.orders if order.counted and least <= order.placed_at < as_of]


def _spent(person: Person, as_of: datetime) -> dict[str, Decimal]:
    spent: dict[str, Decimal] = {}
    for order in _counted(person, 365, as_of):
        spent[order.currency] = spent.get(order.currency, Decimal(0)) + Decimal(order.total)
    return {currency: sum_ for currency, sum_ in spent.items() if sum_ >= _ENOUGH[currency]}


def _tags(order: Order) -> list[str]:
    return [tag.strip() for tag in order.tags.split(",")]


def _bought_vape(person: Person, as_of: datetime) -> bool:
    return any(line.sku.startswith("VAPE-") for order in _counted(person, 365, as_of) for line in order.lines)


def _lapsed(person: Person, as_of: datetime) -> bool:
    return bool(_counted(person, None, as_of)) and not _counted(person, 180, as_of)


def _traits(rule: Audience, person: Person, as_of: datetime) -> dict[str, Any]:
    if rule is AUDIENCES["recent_buyers"]:
        return {"last_order_at": max(order.placed_at for order in _counted(person, 30, as_of)).isoformat()}
    if rule is AUDIENCES["high_spenders"]:
        return {"spent": {currency: str(total) for currency, total in _spent(person, as_of).items()}}
    return {}


AUDIENCES: dict[str, Audience] = {
    "recent_buyers": Audience(
        "email", "none", lambda person, as_of: bool(_counted(person, 30, as_of)),
        {"klaviyo": "Recent buyers", "shopify": "aud-recent-buyer", "hubspot": "Recent buyers"},
    ),
    "lapsed_customers": Audience(
        "sms", "none", _lapsed, {"klaviyo": "Lapsed customers SMS", "shopify": "aud-lapsed-sms"}
    ),
    "high_spenders": Audience(
        "email", "none", lambda person, as_of: bool(_spent(person, as_of)),
        {"klaviyo": "High spenders", "shopify": "aud-high-spender"},
    ),
    "vape_buyers_of_age": Audience("email", "vape", _bought_vape, {"klaviyo": "Vape customers of age"}),
    "webinar_follow_up": Audience(
        "email", "none", lambda person, as_of: bool(_within(person.registrations, 14, as_of)),
        {"klaviyo": "Webinar follow-up", "hubspot": "Webinar follow-up"},
    ),
    "webinar_buyers": Audience("none", "none", _bought_after_registering, {"aevent": "Buyer"}),
}  # fmt: skip
