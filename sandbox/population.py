"""The generator: one population over all platforms, the same for the same (seed, people, as_of).

A person is a draw along independent dimensions (reach, contact, consent, orders, goods, age, address, webinar, CRM);
the first people are scripted so that every reason and every trap occurs, and larger populations have everybody of
`sandbox.hazards` besides. Times keep two hours away from the windows'
edges, so that a build some minutes later reads the same world.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random

from sandbox import population_data as data
from sandbox.facts import Facts, Person, Text
from sandbox.hazards import hazards
from sandbox.population_consent import declare
from sandbox.population_crm import remember
from sandbox.population_life import live
from sandbox.population_person import Maker

FEWEST = 20
#: From so many people on, a population has everybody who is hard to judge besides.
WITH_HAZARDS = 100


def generate(people: int, seed: int, as_of: datetime) -> Facts:
    """A population of `people` (20 or more) as it stands at `as_of` (aware; kept in whole seconds)."""
    if people < FEWEST:
        raise ValueError(f"a population needs at least {FEWEST} people, not {people}")
    as_of = as_of.astimezone(UTC).replace(microsecond=0)
    order = list(range(people))
    Random(f"{seed}/order").shuffle(order)  # noqa: S311 - repeatable on purpose
    scripted = dict(zip(order, data.STORIES, strict=False))
    persons: list[Person] = []
    texts: list[Text] = []
    for index in range(people):
        maker = Maker(index, seed, as_of, *scripted.get(index, ("drawn", {})))
        maker.settle_contradictions()
        maker.identify()
        declare(maker)
        live(maker)
        maker.grow_old()
        remember(maker)
        persons.append(maker.person)
        texts += maker.texts
    hard, more_texts, receipts = hazards(people, as_of)
    if people >= WITH_HAZARDS:
        persons, texts = persons + hard, texts + more_texts
    _number(persons, seed)
    return Facts(seed, as_of, {person.person: person for person in persons}, texts, receipts)


def _number(persons: Iterable[Person], seed: int) -> None:
    """Give records and orders the ids of their platforms, in the order in which they came to be."""
    shops = [(r.created_at, p.person, i, r) for p in persons for i, r in enumerate(p.at("shopify"))]
    for rank, (*_, record) in enumerate(sorted(shops, key=lambda row: row[:3])):
        record.record_id = str(7_000_000_000_001 + rank * 32)
    contacts = [(r.created_at, p.person, i, r) for p in persons for i, r in enumerate(p.at("hubspot"))]
    for rank, (*_, record) in enumerate(sorted(contacts, key=lambda row: row[:3])):
        record.record_id = str(151_000_000_001 + rank * 7)
    orders = [(o.created_at, p.person, i, o, p) for p in persons for i, o in enumerate(p.orders)]
    for rank, (*_, order, person) in enumerate(sorted(orders, key=lambda row: row[:3])):
        order.order_id = str(5_500_000_000_001 + rank * 32)
        order.record_id = person.at("shopify")[int(order.record_id)].record_id
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    for person in persons:
        for index, record in enumerate(person.at("klaviyo")):
            digest = hashlib.sha256(f"{seed}/klaviyo/{person.person}/{index}".encode()).digest()
            record.record_id = "01" + "".join(alphabet[byte % 32] for byte in digest[:24])
