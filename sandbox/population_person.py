"""One generated person in the making: the draw, who they are, and what other modules add to them."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from sandbox import population_data as data
from sandbox.facts import Block, Person, Record, Statement, Text, valid_email, valid_phone

_EDGES = (0, 14, 30, 180, 365)
_MIX = {name: (list(weights), list(accumulate(weights.values()))) for name, weights in data.MIX.items()}


def _places(country: str) -> tuple[list[tuple[str, ...]], list[int]]:
    """The places of one country ("" for all) with their running weights."""
    chosen = [n for n, place in enumerate(data.PLACES) if country in ("", place[0])]
    return [data.PLACES[n] for n in chosen], list(accumulate(data.PLACE_WEIGHTS[n] for n in chosen))


_PLACES = {country: _places(country) for country in ("", *data.COUNTRY_NAMES)}


class Maker:
    """Makes one person; every random choice comes from that person's own generator."""

    def __init__(self, index: int, seed: int, as_of: datetime, story: str, forced: dict[str, str]) -> None:
        self.index, self.seed, self.as_of = index, seed, as_of
        self.random = Random(f"{seed}/{index}")  # noqa: S311 - repeatable on purpose
        pick = self.random.choices
        self.draw = {name: pick(values, cum_weights=sums)[0] for name, (values, sums) in _MIX.items()} | forced
        places, sums = _PLACES[forced.get("country", "")]
        self.country, self.region, *_, self.area = pick(places, cum_weights=sums)[0]
        first, last = self.random.choice(data.FIRST_NAMES), self.random.choice(data.LAST_NAMES)
        self.person = Person(f"p{index:07d}", first, last, story)
        self.texts: list[Text] = []

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
        key = f"{self.seed}/{self.index}/{len(self.texts)}"
        sid = "SM" + hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        self.texts.append(Text(sid, phones[0], inbound, body, at, status, error))

    def settle_contradictions(self) -> None:
        """Bend the draw where two dimensions cannot go together."""
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

    def identify(self) -> None:
        """Give the person records at the platforms, under the names they wrote there."""
        person, draw, created = self.person, self.draw, self.as_of
        local = f"{person.first}.{person.last}{self.index}".lower()
        email: str | None = f"{local}@example.com"
        phone: str | None = self._phone()
        if draw["contact"] in ("phone", "bad_email"):
            typos = (f"{local}@", "n/a", f"{local} at example")
            email = self.random.choice(typos) if draw["contact"] == "bad_email" else None
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
            records.append(Record("shopify", "", None, self.written_phone(phone), created, *where))
        elif reach in ("both", "shopify", "split"):
            both = (self._written_email(email), self.written_phone(phone))
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

    def written_phone(self, phone: str | None) -> str | None:
        """The number in one of the forms that people write."""
        parts = re.fullmatch(r"\+(1|44)(\d{3})(\d{3})(\d+)", phone or "")
        form = self.random.random()
        if parts is None or form < 0.75:
            return phone
        code, area, head, tail = parts.groups()
        if form < 0.85:
            return f"+{code} {area} {head} {tail}"
        return f"+{code} ({area}) {head}-{tail}" if form < 0.94 else f"+{code}.{area}.{head}.{tail}"

    def grow_old(self) -> None:
        """Give every record a birthday before everything that happened at its platform."""
        seen = [statement.at for statement in self.person.statements]
        seen += [block.at for block in self.person.blocks] + self.person.registrations
        seen += [min(order.created_at, order.processed_at) for order in self.person.orders]
        seen += [text.at for text in self.texts] + [self.as_of - timedelta(days=40)]
        for record in self.person.records:
            record.created_at = min(seen) - timedelta(seconds=self.random.randint(3600, 20 * 86400))
