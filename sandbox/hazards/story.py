"""One hazard in the making: what its people have, said, texted and bought."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.facts import Line, Order, Person, Receipt, Record, Statement, Text
from sandbox.rules.age import today

_GOODS = {"MUG-0202": ("Stoneware mug", "22.00"), "VAPE-1001": ("Pod kit", "39.90")}
#: The tag of a provider that checked the age of who paid.
CHECKED = "Age Verified"


class Story:
    """One hazard in the making: its people, and what else belongs to it."""

    def __init__(self, name: str, index: int, as_of: datetime) -> None:
        self.name, self.index, self.as_of = name, index, as_of
        self.people: list[Person] = []
        self.texts: list[Text] = []
        self.receipts: list[Receipt] = []
        self.mail = f"{name.replace('_', '.')}.{index}@example.com"
        self.phone = f"+1510{555 + index // 10_000}{index % 10_000:04d}"

    def ago(self, days: float) -> datetime:
        """A moment before now, in whole seconds."""
        return self.as_of - timedelta(seconds=int(days * 86400))

    def person(self, first: str = "Robin", last: str | None = None) -> Person:
        """Somebody new."""
        number = self.index * 10 + len(self.people)
        self.people.append(Person(f"p{number:07d}", first, last or self.name.title().replace("_", ""), self.name))
        return self.people[-1]

    def at(self, platform: str, email: str | None, phone: str | None = None, **more: Any) -> Record:
        """An account of the newest person; at the shop in California."""
        if platform == "shopify":
            more = {"country": "US", "region": "CA", **more}
        record = Record(platform, "", email, phone, self.ago(900 + len(self.people[-1].records)), **more)
        self.people[-1].records.append(record)
        return record

    def said(self, state: str, platform: str = "shopify", days: float = 100, **more: Any) -> None:
        """What the newest person said about an e-mail address (theirs unless told), or as told."""
        given: dict[str, Any] = {"channel": "email", "identifier": self.mail, **more}
        self.people[-1].statements.append(Statement(**given, state=state, at=self.ago(days), platform=platform))

    def texted(self, body: str, days: float) -> None:
        """A text from the person's number."""
        sid = "SM" + hashlib.blake2b(f"{self.name}/{len(self.texts)}".encode(), digest_size=16).hexdigest()
        self.texts.append(Text(sid, self.phone, True, body, self.ago(days), "received"))

    def bought(self, days: float = 5, sku: str = "MUG-0202", **more: Any) -> None:
        """An order of the newest person, shipped to California unless told."""
        title, price = _GOODS[sku]
        more = {"country": "US", "region": "CA", **more}
        line, at = Line(sku, title, 1, price), self.ago(days)
        order = Order("", "0", at, at, f"{Decimal(price):.2f}", "USD", "paid", [line], **more)
        self.people[-1].orders.append(order)

    def customer(self, state: str = "granted", days: float = 100, **more: Any) -> Record:
        """A person at shop and mailer under one address, who said something to the shop."""
        if not self.people:
            self.person()
        record = self.at("shopify", self.mail, **more)
        self.at("klaviyo", self.mail)
        self.said(state, days=days)
        return record

    def vaper(self, born: date | None = None, days: float = 100, tags: str = CHECKED, **more: Any) -> Record:
        """A person who bought vapes 50 days ago, with a provider's check and perhaps a typed birth date."""
        record = self.customer(days=days, birth_date=born.isoformat() if born else None)
        self.bought(50, "VAPE-1001", tags=tags, **more)
        return record

    def texter(self) -> None:
        """A person who bought long ago and may be texted."""
        self.person()
        self.at("shopify", self.mail, self.phone)
        self.at("klaviyo", self.mail, self.phone)
        self.said("granted", channel="sms", identifier=self.phone)
        self.bought(200)

    def born(self, years: int, days: int) -> date:
        """The birth date of who turned so old so many days ago, by the day where it begins last."""
        day = today(self.as_of) - timedelta(days=days)
        return date(day.year - years, day.month, min(day.day, 28))
