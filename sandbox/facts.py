"""What really happened to the people of the demo shop, in plain dataclasses.

The generator writes facts, each stand-in renders its own platform's view of them, acts add to them, and the truth is
read from them. Calls to a platform's own API never change a fact: a wrong push stays visible as wrong.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import idna

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
#: A clock that runs ahead by no more is believed.
_SKEW = timedelta(minutes=5)


@dataclass(slots=True)
class Record:
    """One customer account of one person at one platform.

    `registrant_id` is the person's AEvent registrant id, where a field of this account carries it; `opted_out` says
    that a withdrawal here was from every mailing, not from one kind of them.
    """

    platform: str
    record_id: str
    email: str | None
    phone: str | None
    created_at: datetime
    country: str | None = None
    region: str | None = None
    birth_date: str | None = None
    registrant_id: str | None = None
    opted_out: bool = False
    #: First and last name at this account, where they are not the person's.
    names: tuple[str, str] | None = None
    #: The shop's own tags of the customer.
    tags: str = ""

    @property
    def own(self) -> set[str]:
        """How statements may name this account: its address and number as written, and as keys."""
        return {key for key in (self.email, self.phone, valid_email(self.email), valid_phone(self.phone)) if key}


@dataclass(slots=True)
class Line:
    """One line of an order; the SKU's prefix tells the product category."""

    sku: str
    title: str
    quantity: int
    price: str


@dataclass(slots=True)
class Order:
    """One order; `total` is exact decimal text in `currency`."""

    order_id: str
    record_id: str
    created_at: datetime
    processed_at: datetime
    total: str
    currency: str
    status: str
    lines: list[Line]
    cancelled_at: datetime | None = None
    tags: str = ""
    country: str | None = None
    region: str | None = None
    #: First and last name of who paid, where it was not the customer.
    payer: tuple[str, str] | None = None

    @property
    def placed_at(self) -> datetime:
        """When it was placed: as the order says, and no later than the shop's record of it was made."""
        return self.created_at if self.processed_at > self.created_at + _SKEW else self.processed_at

    @property
    def counted(self) -> bool:
        """Whether the order counts towards segments."""
        return self.cancelled_at is None and self.status not in ("voided", "refunded")


@dataclass(slots=True)
class Statement:
    """What was said about one identifier on one channel: granted, granted_confirmed, pending or withdrawn.

    `sender` is whom it was said to ("*": all of them); `imported` is a grant of which the platform does not know how it
    was given; `heard_at` is when we heard of it, where the platform's clock runs ahead.
    """

    channel: str
    identifier: str
    state: str
    at: datetime
    platform: str
    sender: str = "*"
    imported: bool = False
    heard_at: datetime | None = None

    @property
    def is_act(self) -> bool:
        """Whether it is provably the person's own express act: a confirmed opt-in, or a start word."""
        return self.state == "granted_confirmed" or (self.state == "granted" and self.platform == "twilio")


@dataclass(slots=True)
class Block:
    """A reason not to write to an address or number, whatever its owner said."""

    identifier: str
    kind: str
    at: datetime


@dataclass(slots=True)
class Tag:
    """A tag that a webinar registrant was given at AEvent."""

    name: str
    at: datetime


@dataclass(slots=True)
class Receipt:
    """A comparison with a registry, of the whole list or of one identifier (`listed` or `disconnected`)."""

    registry: str
    at: datetime
    identifier: str | None = None
    result: str | None = None
    since: date | None = None


@dataclass(slots=True)
class Person:
    """One human being with everything that happened to them.

    `registrant_id` is what AEvent calls them (None: never registered there): case-sensitive text, sometimes all digits
    with leading zeros.
    """

    person: str
    first: str
    last: str
    story: str
    records: list[Record] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    registrations: list[datetime] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    registrant_id: str | None = None
    erased_at: datetime | None = None

    def at(self, platform: str) -> list[Record]:
        """The person's records at one platform."""
        return [record for record in self.records if record.platform == platform]

    def identifiers(self, kind: str) -> list[str]:
        """Valid identifiers of a kind ("email" or "phone"), sorted."""
        found = {valid_email(r.email) if kind == "email" else valid_phone(r.phone) for r in self.records}
        return sorted(key for key in found if key)


@dataclass(slots=True)
class Text:
    """One message of the text log; `error_code` 21610 means that the recipient had opted out."""

    sid: str
    phone: str
    inbound: bool
    body: str
    at: datetime
    status: str
    error_code: int | None = None


@dataclass
class Facts:
    """The whole population at its birth, and what acts added since."""

    seed: int
    as_of: datetime
    people: dict[str, Person]
    texts: list[Text]
    receipts: list[Receipt] = field(default_factory=list)
    _names: dict[str, Person] = field(default_factory=dict)

    def find(self, wanted: str) -> Person:
        """The person with this id, e-mail, phone or `platform:record_id` (AEvent: registrant id); else LookupError."""
        # A person whose records nothing joins for certain is several to the shop: "p7.2" is the second of p7.
        whole = wanted.partition(".")[0]
        if wanted in self.people or whole in self.people:
            return self.people.get(wanted) or self.people[whole]
        if not self._names:
            for person in self.people.values():
                for r in person.records:
                    names = (f"{r.platform}:{r.record_id}", valid_email(r.email), valid_phone(r.phone))
                    self._names.update({name: person for name in names if name})
                if person.registrant_id:
                    self._names[f"aevent:{person.registrant_id}"] = person
        for name in (wanted, valid_email(wanted), valid_phone(wanted)):
            if name in self._names:
                return self._names[name]
        raise LookupError(f"no person in the sandbox is known as {wanted!r}")

    def apply(self, entry: dict[str, Any]) -> None:
        """Add one fact: `kind` and the person, with the fields of that kind; times are ISO 8601 text."""
        person = self.people[entry["person"]]
        at = datetime.fromisoformat(entry["at"])
        match entry["kind"]:
            case "statement":
                said = (entry["channel"], entry["identifier"], entry["state"], at, entry["platform"])
                person.statements.append(Statement(*said, sender=entry.get("sender", "*")))
            case "block":
                person.blocks.append(Block(entry["email"], entry["block"], at))
            case "registration":
                person.registrations.append(at)
            case "tag":
                person.tags.append(Tag(entry["name"], at))
            case "record":
                names = ("platform", "record_id", "email", "phone", "country", "region")
                person.records.append(Record(**{name: entry[name] for name in names}, created_at=at))
                self._names.clear()
            case "record_gone":
                gone = (entry["platform"], entry["record_id"])
                person.records = [r for r in person.records if (r.platform, r.record_id) != gone]
            case "erased":
                person.erased_at = at
            case "order":
                lines = [Line(**line) for line in entry["lines"]]
                order = Order(
                    entry["order_id"], entry["record_id"], at, at, entry["total"], entry["currency"], entry["status"],
                    lines, tags=entry["tags"], country=entry["country"], region=entry["region"],
                )  # fmt: skip
                person.orders.append(order)
            case kind:
                raise ValueError(f"unknown kind of fact: {kind}")


def valid_email(raw: str | None) -> str | None:
    """The e-mail as a key (outer spaces off, lower case, ASCII domain), or None when it is not one."""
    text = (raw or "").strip().lower()
    if not _EMAIL.fullmatch(text) or any(unicodedata.category(sign) in ("Cf", "Cc", "Zs") for sign in text):
        return None
    local, _, domain = text.rpartition("@")
    if domain.isascii():
        return text
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return None


def valid_phone(raw: str | None) -> str | None:
    """The phone number in E.164, or None when it is not one."""
    text = re.sub(r"[\s().-]", "", raw or "")
    return text if _PHONE.fullmatch(text) else None


def utc_now() -> datetime:
    """The wall clock, in whole seconds, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
