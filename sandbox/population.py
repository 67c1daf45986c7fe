"""The generator: one population over all platforms, the same for the same (seed, people, as_of).

A person is a draw along independent dimensions (reach, contact, consent, orders, goods, age, address, webinar); the
first people are scripted so that every reason and every trap occurs. Times keep two hours away from the windows'
edges, so that a build some minutes later reads the same world.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

from sandbox import population_data as data
from sandbox.facts import Block, Facts, Line, Order, Person, Record, Statement, Text, valid_email, valid_phone
from sandbox.population_consent import declare

FEWEST = 20
_EDGES = (0, 14, 30, 180, 365)
_THRESHOLDS = {"USD": "500.00", "CAD": "700.00", "GBP": "400.00"}


def generate(people: int, seed: int, as_of: datetime) -> Facts:
    """A population of `people` (20 or more) as it stands at `as_of` (aware; kept in whole seconds)."""
    if people < FEWEST:
        raise ValueError(f"a population needs at least {FEWEST} people, not {people}")
    as_of = as_of.astimezone(UTC).replace(microsecond=0)
    order = list(range(people))
    Random(f"{seed}/order").shuffle(order)
    scripted = dict(zip(order, data.STORIES, strict=False))
    makers = [_Maker(index, seed, as_of, *scripted.get(index, ("drawn", {}))) for index in range(people)]
    persons = [maker.make() for maker in makers]
    _number(persons, seed)
    texts = [text for maker in makers for text in maker.texts]
    return Facts(seed, as_of, {person.person: person for person in persons}, texts)


class _Maker:
    """Makes one person; every random choice comes from that person's own generator."""

    def __init__(self, index: int, seed: int, as_of: datetime, story: str, forced: dict[str, str]) -> None:
        self.index, self.seed, self.as_of = index, seed, as_of
        self.random = Random(f"{seed}/{index}")
        self.draw = {name: self._pick(weights) for name, weights in data.MIX.items()} | forced
        places = [p for p in range(len(data.PLACES)) if data.PLACES[p][0] == forced.get("country", data.PLACES[p][0])]
        chosen = self.random.choices(places, [data.PLACE_WEIGHTS[p] for p in places])[0]
        self.country, self.region, *_, self.area = data.PLACES[chosen]
        first, last = self.random.choice(data.FIRST_NAMES), self.random.choice(data.LAST_NAMES)
        self.person = Person(f"p{index:07d}", first, last, story)
        self.texts: list[Text] = []

    def make(self) -> Person:
        self._settle_contradictions()
        self._identify()
        declare(self)
        if self.person.at("shopify"):
            self._shop()
        self._attend()
        self._prove_age()
        self._grow_old()
        return self.person

    def ago(self, least: float, most: float) -> datetime:
        """A moment between `least` and `most` days before as_of, away from every window's edge."""
        seconds = int(self.random.uniform(least, most) * 86400)
        for edge in _EDGES:
            if abs(seconds - edge * 86400) < 7200:
                seconds = edge * 86400 + 9000
        return self.as_of - timedelta(seconds=seconds)

    def say(self, channel: str, identifier: str | None, state: str, at: datetime, platform: str) -> None:
        """Record a statement, unless there is no identifier to say it about."""
        if identifier:
            self.person.statements.append(Statement(channel, identifier, state, at, platform))

    def block(self, email: str | None, kind: str, at: datetime) -> None:
        """Record a reason not to write to an address."""
        if email:
            self.person.blocks.append(Block(email, kind, at))

    def text(self, inbound: bool, body: str, at: datetime, status: str, error: int | None = None) -> None:
        """Record one message to or from the person's phone."""
        phones = self.person.identifiers("phone")
        sid = "SM" + hashlib.md5(f"{self.seed}/{self.index}/{len(self.texts)}".encode()).hexdigest()
        self.texts.append(Text(sid, phones[0], inbound, body, at, status, error))

    def _pick(self, weights: dict[str, float]) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def _settle_contradictions(self) -> None:
        draw = self.draw
        if draw["address"] == "nowhere":
            draw["contact"] = "email"
        if draw["reach"] == "klaviyo" and draw["address"] == "nowhere":
            draw["address"] = "full"
        if draw["contact"] == "bad_email" or draw["address"] in ("phone", "nowhere"):
            draw["reach"] = "shopify" if draw["contact"] == "bad_email" else draw["reach"]
        if draw["address"] == "phone" or draw["reach"] in ("split", "bridge"):
            draw["contact"] = "both"
        if draw["reach"] == "twilio":
            draw["contact"] = "phone"
        if draw["orders"] == "future" or draw["reach"] in ("shopify", "erased", "twilio"):
            draw["webinar"] = "none"

    def _identify(self) -> None:
        person, draw, created = self.person, self.draw, self.as_of
        local = f"{person.first}.{person.last}{self.index}".lower()
        email: str | None = f"{local}@example.com"
        phone: str | None = self._phone()
        if draw["contact"] in ("phone", "bad_email"):
            email = self.random.choice((f"{local}@", "n/a", f"{local} at example")) if "bad" in draw["contact"] else None
        if draw["contact"] in ("email", "bad_phone", "bad_email"):
            phone = self.random.choice(("555-0123", "0000", "none")) if draw["contact"] == "bad_phone" else None
        where = (self.country, self.region) if draw["address"] in ("full", "default", "moved") else (None, None)
        home = (self.country, self.region) if draw["address"] in ("full", "klaviyo") else (None, None)
        reach, records = draw["reach"], person.records
        if reach == "erased":
            records.append(Record("shopify", "", None, None, created))
            person.erased_at = self.ago(2, 20)
        elif reach == "bridge":
            records.append(Record("shopify", "", self._written_email(email), None, created, *where))
            records.append(Record("shopify", "", None, self._written_phone(phone), created, *where))
        elif reach in ("both", "shopify", "split"):
            both = (self._written_email(email), self._written_phone(phone))
            records.append(Record("shopify", "", *both, created, *where))
        if reach in ("both", "klaviyo", "bridge", "split"):
            mail = f"{person.first[0]}{person.last}{self.index}@example.org".lower() if reach == "split" else email
            shown = mail if self.random.random() < 0.75 or mail is None else mail.title()
            records.append(Record("klaviyo", "", shown, valid_phone(phone), created, *home))
        if reach == "twilio":
            records.append(Record("twilio", phone or "", None, phone, created))

    def _phone(self) -> str:
        if self.country == "GB":
            return f"+447{400_000_000 + self.index:09d}"
        return f"+1{self.area}{555 + self.index // 10_000}{self.index % 10_000:04d}"

    def _written_email(self, email: str | None) -> str | None:
        if email is None or not valid_email(email):
            return email
        form = self.random.random()
        return email if form < 0.8 else email.upper() if form < 0.87 else f" {email} " if form < 0.93 else email.title()

    def _written_phone(self, phone: str | None) -> str | None:
        parts = re.fullmatch(r"\+(1|44)(\d{3})(\d{3})(\d+)", phone or "")
        form = self.random.random()
        if parts is None or form < 0.75:
            return phone
        code, area, head, tail = parts.groups()
        spaced, bracketed, dotted = " ".join(parts.groups()), f"+{code} ({area}) {head}-{tail}", f"+{code}.{area}.{head}.{tail}"
        return f"+{spaced}" if form < 0.85 else bracketed if form < 0.94 else dotted

    def _shop(self) -> None:
        kind, currency = self.draw["orders"], data.CURRENCIES[self.country]
        goods = self.draw["goods"] if kind not in ("exact", "almost", "mixed_currency") else "none"
        threshold = Decimal(_THRESHOLDS[currency])
        match kind:
            case "recent":
                self._buy(self.ago(1, 29.5), goods)
                self._buy_some(31, 700)
            case "middle":
                self._buy(self.ago(31, 179), goods)
                self._buy_some(31, 700)
            case "lapsed":
                self._buy(self.ago(181, 360), goods)
                self._buy_some(181, 900)
            case "spender":
                for _ in range(self.random.randint(2, 4)):
                    self._buy(self.ago(3, 360), goods, at_least=threshold / 2)
                self._buy(self.ago(366, 420), "none")
            case "exact":
                self._buy_for(self.ago(20, 170), currency, threshold - Decimal("199.90"))
                self._buy_for(self.ago(181, 360), currency, Decimal("199.90"))
            case "almost":
                self._buy_for(self.ago(20, 170), currency, threshold - Decimal("100.00"))
                self._buy_for(self.ago(181, 360), currency, Decimal("99.99"))
                self._buy_for(self.ago(366, 400), currency, Decimal("250.00"))
            case "mixed_currency":
                self._buy_for(self.ago(20, 170), "USD", Decimal("420.00"))
                self._buy_for(self.ago(181, 360), "CAD", Decimal("600.00"))
            case "cancelled":
                self._buy(self.ago(2, 28), goods).cancelled_at = self.ago(0.5, 1.5)
            case "refunded":
                self._buy(self.ago(2, 28), goods).status = self.random.choice(("refunded", "voided"))
            case "imported":
                self._buy(self.ago(40, 60), goods).created_at = self.ago(15, 25)
            case "future":
                order = self._buy(self.ago(2, 5), goods)
                order.processed_at = self.as_of + timedelta(days=3, hours=self.random.randint(3, 20))

    def _buy_some(self, least: float, most: float) -> None:
        for _ in range(self.random.choice((0, 0, 1, 1, 2, 3))):
            self._buy(self.ago(least, most), "none")

    def _buy(self, at: datetime, goods: str, at_least: Decimal = Decimal(0)) -> Order:
        sku, title, price = self.random.choice(data.GOODS[goods])
        quantity = max(self.random.choice((1, 1, 2)), int(at_least / Decimal(price)) + 1 if at_least else 1)
        return self._order(at, data.CURRENCIES[self.country], [Line(sku, title, quantity, price)])

    def _buy_for(self, at: datetime, currency: str, total: Decimal) -> Order:
        return self._order(at, currency, [Line("RUG-0404", "Wool rug", 1, f"{total:.2f}")])

    def _order(self, at: datetime, currency: str, lines: list[Line]) -> Order:
        shops = self.person.at("shopify")
        total = sum((Decimal(line.price) * line.quantity for line in lines), Decimal(0))
        country, region = self._ships_to(at)
        status = self.random.choices(("paid", "partially_refunded", "pending"), (90, 6, 4))[0]
        order = Order("", "", at, at, f"{total:.2f}", currency, status, lines, country=country, region=region)
        order.record_id = str(shops.index(self.random.choice(shops)))
        self.person.orders.append(order)
        return order

    def _ships_to(self, at: datetime) -> tuple[str | None, str | None]:
        if self.draw["address"] not in ("full", "moved") or self.draw["reach"] == "erased":
            return None, None
        if self.draw["address"] == "moved" and at < self.as_of - timedelta(days=30):
            return ("GB", "ENG") if self.country == "US" else ("US", "CA")
        return self.country, self.region

    def _attend(self) -> None:
        kind, person = self.draw["webinar"], self.person
        if kind == "none" or not person.at("klaviyo"):
            return
        first = self.ago(15, 25) if kind == "old" else self.ago(11, 13.5) if "twice" in kind else self.ago(4, 13.5)
        person.registrations.append(first)
        if "twice" in kind:
            person.registrations.append(self.ago(1, 4))
        if not person.at("shopify"):
            return
        if kind in ("bought_after", "twice_bought"):
            self._buy(first + timedelta(hours=self.random.randint(1, 60)), "none")
        elif kind == "same_second":
            self._buy(first, "none")
        elif kind == "bought_before":
            self._buy(first - timedelta(hours=self.random.randint(1, 60)), "none")

    def _prove_age(self) -> None:
        kind, person = self.draw["age"], self.person
        shops = person.at("shopify")
        if not shops:
            return
        counted = [order for order in person.orders if order.counted and order.processed_at < self.as_of]
        if counted and kind.startswith(("tag", "not")):
            wrong = self.random.choice(("Age Not Verified", "Age Verification Not Required"))
            order = self.random.choice(counted)
            order.tags = "Age Verified" if kind.startswith("tag") else wrong
            order.tags = order.tags if self.random.random() < 0.5 else f"gift, {order.tags}"
        if kind.endswith(("_adult", "_born", "_minor")):
            days = self.random.randint(5600, 7600) if kind.endswith("minor") else self.random.randint(7800, 25000)
            shops[0].birth_date = (date(self.as_of.year, self.as_of.month, 1) - timedelta(days=days)).isoformat()

    def _grow_old(self) -> None:
        """Give every record a birthday before everything that happened at its platform."""
        seen = [statement.at for statement in self.person.statements]
        seen += [block.at for block in self.person.blocks] + self.person.registrations
        seen += [min(order.created_at, order.processed_at) for order in self.person.orders]
        seen += [text.at for text in self.texts] + [self.as_of - timedelta(days=40)]
        for record in self.person.records:
            record.created_at = min(seen) - timedelta(seconds=self.random.randint(3600, 20 * 86400))


def _number(persons: Iterable[Person], seed: int) -> None:
    """Give records and orders the ids of their platforms, in the order in which they came to be."""
    shops = [(r.created_at, p.person, i, r) for p in persons for i, r in enumerate(p.at("shopify"))]
    for rank, (*_, record) in enumerate(sorted(shops, key=lambda row: row[:3])):
        record.record_id = str(7_000_000_000_001 + rank * 32)
    orders = [(o.created_at, p.person, i, o, p) for p in persons for i, o in enumerate(p.orders)]
    for rank, (*_, order, person) in enumerate(sorted(orders, key=lambda row: row[:3])):
        order.order_id = str(5_500_000_000_001 + rank * 32)
        order.record_id = person.at("shopify")[int(order.record_id)].record_id
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    for person in persons:
        for index, record in enumerate(person.at("klaviyo")):
            digest = hashlib.sha256(f"{seed}/klaviyo/{person.person}/{index}".encode()).digest()
            record.record_id = "01" + "".join(alphabet[byte % 32] for byte in digest[:24])
