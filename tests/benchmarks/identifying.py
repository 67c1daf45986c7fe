"""Identity: keys of distinct phones and e-mails against the libraries' bare parsing, components against scipy alone.

The references do less: they give no wide keys, no kinds and no faults. BENCH_VALUES (200,000) sets how many distinct
values of each kind there are, BENCH_JOINED (1,000,000) how many records are joined.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import email_validator
import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.csv
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from orchestration.identity.components import join
from orchestration.identity.keys import email_keys, phone_keys
from orchestration.identity.lists import Lists, from_seeds
from orchestration.identity.person_ids import ASSIGNMENT, HISTORY, assign
from tests.benchmarks.figures import Figure, figure

VALUES = int(os.environ.get("BENCH_VALUES", "200000"))
JOINED = int(os.environ.get("BENCH_JOINED", "1000000"))
_SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
_LISTS = ("domain_typos", "role_addresses", "email_providers", "relay_domains", "blocked_identifiers")
# Of twenty numbers: how they are written, and the countries they came with.
_NUMBERS = [
    *[("+1415{:07d}", ["US"])] * 7,
    *[("(415) {0:03d}-{1:04d}", ["US"])] * 2,
    *[("212.{0:03d}.{1:04d}", ["US"])] * 2,
    *[("+4479{:08d}", ["GB"])] * 2,
    *[("079{:08d}", ["GB"])] * 2,
    ("0151 {:08d}", ["DE"]),
    ("+55119{:08d}", ["BR"]),
    ("650{:07d}", ["US", "CA"]),
    ("078{:08d} ext 5", ["GB"]),
    ("7{:09d}", []),
]
# Of twenty addresses, how they are written; the last number is one of a domain.
_ADDRESSES = [
    *["jane.doe{0}@gmail.com"] * 8,
    *["joe{0}@yahoo.com"] * 4,
    *["Ann.Lee{0}@Example.org"] * 2,
    "jane+shop{0}@outlook.com",
    "jane+{0}@googlemail.com",
    *["info{0}@shop{1}.example.com"] * 2,
    "jane{0}@b\u00fccher{1}.example.com",
    "Jane Doe <jane{0}@example.com>",
]


def measure() -> Iterator[Figure]:
    lists = _lists()
    numbers = [_number(place) for place in range(VALUES)]
    values, countries = pa.array([one for one, _ in numbers]), pa.array([one for _, one in numbers])
    ours = _seconds(lambda: phone_keys(values, countries, lists))
    bare = _seconds(lambda: [_parsed(*one) for one in numbers])
    yield figure(f"keys of {VALUES:,} phones", VALUES / ours, "values/s", VALUES / bare)
    addresses = [_ADDRESSES[place % 20].format(place, place % 3_000) for place in range(VALUES)]
    ours = _seconds(lambda: email_keys(pa.array(addresses), lists))
    bare = _seconds(lambda: [_validated(one) for one in addresses])
    yield figure(f"keys of {VALUES:,} e-mails", VALUES / ours, "values/s", VALUES / bare)
    yield from _components()


def _components() -> Iterator[Figure]:
    """People of three records on average, all of which show the person's e-mail and phone."""
    people = np.sort(np.random.default_rng(4).integers(0, JOINED // 3, JOINED))
    keys = pa.array([f"shop:main:{place}" for place in range(JOINED)])
    records = pa.table(
        {
            "record_key": keys,
            "account": pa.array([f"shop:{place % 3}" for place in range(JOINED)]),
            "name": pa.array([f"Jane Doe {person}" for person in people.tolist()]),
        }
    )
    shown = pa.concat_tables(
        [_shown(keys, "email", "jane{}@example.com", people), _shown(keys, "phone", "+1{}", people)]
    )
    texts = pa.array([], pa.string())
    links = pa.table(
        {"record_key": texts, "other_record_key": texts, "reason": texts, "retracted": pa.array([], pa.bool_())}
    )
    first = np.unique(people, return_index=True)[1]
    hubs = first[np.searchsorted(people[first], people)]
    bare = _seconds(lambda: _bare_components(np.arange(JOINED), hubs))
    for purpose in ("suppression", "targeting"):
        ours = _seconds(lambda purpose=purpose: join(records, shown, links, purpose=purpose))  # type: ignore[misc]
        yield figure(f"components of {JOINED:,} records for {purpose}", ours, "s", bare)
    joined = join(records, shown, links, purpose="suppression").components
    seen = joined.append_column("first_seen", pa.array(np.arange(JOINED), pa.timestamp("us")))
    born = assign(seen, ASSIGNMENT.empty_table(), HISTORY.empty_table(), build=1)
    ours = _seconds(lambda: assign(seen, born.assignment, born.history, build=2))
    yield figure(f"person ids of {JOINED:,} records (reference: their components)", ours, "s", bare)


def _bare_components(sources: Any, targets: Any) -> None:
    graph = coo_array((np.ones(JOINED, dtype=np.int8), (sources, targets)), shape=(JOINED, JOINED))
    connected_components(graph, directed=False)


def _shown(keys: pa.Array, kind: str, form: str, people: Any) -> pa.Table:
    texts = pa.array([form.format(person) for person in people.tolist()])
    return pa.table(
        {
            "record_key": keys,
            "key_type": pa.repeat(pa.scalar(kind), JOINED),
            "key": texts,
            "joins": pa.repeat(pa.scalar(value=True), JOINED),
        }
    )


def _number(place: int) -> tuple[str, list[str]]:
    form, countries = _NUMBERS[place % 20]
    if "1:" in form:
        return form.format(200 + place // 10_000 % 799, place % 10_000), countries
    return form.format(2_000_000 + place), countries


def _parsed(value: str, countries: list[str]) -> object:
    try:
        return phonenumbers.parse(value, countries[0] if countries else None)
    except phonenumbers.NumberParseException:
        return None


def _validated(value: str) -> object:
    try:
        return email_validator.validate_email(value, check_deliverability=False)
    except email_validator.EmailNotValidError:
        return None


def _lists() -> Lists:
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=False)
    return from_seeds(**{one: pyarrow.csv.read_csv(_SEEDS / f"{one}.csv", convert_options=options) for one in _LISTS})


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
