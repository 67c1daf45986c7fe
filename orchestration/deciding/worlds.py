"""Cases as tables: every time at which something is asked in a case is a world of its own.

A world holds only what was recorded by its known_at. Its name leads every account in it, as the models make it lead
every identifier, so that nothing of one world meets anything of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from orchestration.activation.keys import normalise_email, normalise_phone
from orchestration.deciding.cases import (
    Age,
    Case,
    Contact,
    Event,
    Fact,
    Link,
    Plan,
    Question,
    Record,
    Review,
    Scrub,
    Status,
    Text,
    Write,
)

_TIME = pa.timestamp("us", tz="UTC")
_WHEN: list[tuple[str, pa.DataType]] = [("valid_lo", _TIME), ("valid_hi", _TIME), ("recorded_at", _TIME)]


def _texts(*names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, pa.string()) for name in names]


_WHAT = _texts("world", "fact_id", "platform", "account")

#: The tables of `raw_cases` with their columns, as the models of staging/cases read them.
TABLES: Mapping[str, pa.Schema] = {
    "clocks": pa.schema(
        [
            *_texts("world"),
            ("build_id", pa.int64()),
            ("as_of", _TIME),
            ("known_at", _TIME),
            ("policies", pa.map_(pa.string(), pa.string())),
        ]
    ),
    "questions": pa.schema(_texts("world", "channel", "purpose", "topic", "sender", "product_category", "policy")),
    "records": pa.schema(
        [
            *_WHAT,
            *_texts("record_id", "email", "phone", "name", "country", "region", "postal_code", "place", "time_zone"),
            ("deleted", pa.bool_()),
            *_WHEN,
        ]
    ),
    "statuses": pa.schema(
        [
            *_WHAT,
            *_texts("record_id", "identifier", "field", "value", "detail", "channel", "topic", "sender", "purpose"),
            *_texts("basis", "category", "actor", "told_method", "origin_write_id"),
            ("evidence", pa.bool_()),
            ("expires_at", _TIME),
            *_WHEN,
        ]
    ),
    "texts": pa.schema([*_WHAT, *_texts("identifier", "sender", "body"), *_WHEN]),
    "events": pa.schema(
        [
            *_WHAT,
            *_texts("record_id", "identifier", "event_name", "person_name", "country", "region"),
            ("product_categories", pa.list_(pa.string())),
            *_WHEN,
        ]
    ),
    "scrubs": pa.schema(
        [*_texts("world", "fact_id", "registry", "identifier", "result"), ("since", pa.date32()), *_WHEN]
    ),
    "contacts": pa.schema([*_WHAT, *_texts("object"), ("schedule_seconds", pa.int64()), *_WHEN]),
    "links": pa.schema(
        [*_WHAT, *_texts("record_key", "other_record_key", "reason"), ("retracted", pa.bool_()), *_WHEN]
    ),
    "writes": pa.schema([*_WHAT, *_texts("identifier", "channel", "state"), *_WHEN]),
    "reviews": pa.schema([*_texts("world", "fact_id", "reviewed_id", "verdict", "actor", "reason"), *_WHEN]),
    "rules": pa.schema(_texts("world", "seed", "rule")),
    "ages": pa.schema(
        [
            *_WHAT,
            *_texts("record_id", "kind", "value", "provider", "bound_name", "bound_identifier"),
            ("level", pa.int64()),
            ("threshold", pa.int64()),
            ("expires_at", _TIME),
            *_WHEN,
        ]
    ),
}
_TABLE_OF = {
    Record: "records",
    Status: "statuses",
    Text: "texts",
    Event: "events",
    Age: "ages",
    Scrub: "scrubs",
    Contact: "contacts",
    Link: "links",
    Review: "reviews",
    Write: "writes",
}
#: Keys of the format whose columns are called otherwise.
_CALLED = {
    "id": "fact_id",
    "record": "record_id",
    "expires": "expires_at",
    "method": "told_method",
    "write": "origin_write_id",
    "categories": "product_categories",
}


@dataclass(frozen=True, slots=True)
class World:
    """What a case looks like from one moment, and the questions asked of it then, by their place in the case."""

    name: str
    case: Case
    as_of: datetime
    known_at: datetime
    questions: dict[int, Question] = field(default_factory=dict)
    plans: dict[int, Plan] = field(default_factory=dict)


def worlds(cases: Iterable[Case]) -> list[World]:
    """One world per case and time that is asked about."""
    found: dict[tuple[str, datetime, datetime], World] = {}

    def world(case: Case, as_of: datetime, known_at: datetime) -> World:
        key = (case.id, as_of, known_at)
        if key not in found:
            found[key] = World(f"{case.id}@{len(found)}:", case, as_of, known_at)
        return found[key]

    for case in cases:
        for place, question in enumerate(case.questions):
            as_of = question.as_of or case.as_of
            world(case, as_of, question.known_at or case.known_at or as_of).questions[place] = question
        for place, plan in enumerate(case.plans):
            world(case, case.as_of, case.known_at or case.as_of).plans[place] = plan
    return list(found.values())


def question_of(plan: Plan) -> Question:
    """What a planned write to a list asks of the decisions."""
    return Question(channel="email" if "@" in plan.identifier else "sms", identifier=plan.identifier)


def normal(identifier: str) -> str:
    """An address or number as the models write it; as it is where it is neither."""
    kept = normalise_email(identifier) if "@" in identifier else normalise_phone(identifier)
    return kept or identifier


def write(connection: duckdb.DuckDBPyConnection, made: Sequence[World]) -> None:
    """Write the tables of `raw_cases` anew."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for world in made:
        clock = {"as_of": world.as_of, "known_at": world.known_at, "policies": _policies(world.case)}
        rows["clocks"].append({"world": world.name, "build_id": 1, **clock})
        asked = [*world.questions.values(), *(question_of(plan) for plan in world.plans.values())]
        rows["questions"] += [_asked(world, question) for question in asked]
        rows["rules"] += [
            {"world": world.name, "seed": rule.seed, "rule": orjson.dumps(rule.row, default=str).decode()}
            for rule in world.case.rules
        ]
        for fact in world.case.facts:
            row = _told(world, fact)
            if row is not None and row["recorded_at"] <= world.known_at:
                rows[_TABLE_OF[type(fact)]].append(row)
    connection.execute("CREATE SCHEMA IF NOT EXISTS raw_cases")
    for name, schema in TABLES.items():
        table = pa.Table.from_pylist(rows[name], schema)
        connection.register("given", table)
        connection.execute(f"CREATE OR REPLACE TABLE raw_cases.{name} AS FROM given")
        connection.unregister("given")


def question_id(world: World, question: Question) -> str:
    """The id that the models give the question."""
    return world.name + "|".join(list(_asked(world, question).values())[1:])


def record_key(world: World, record: str) -> str:
    """The key that the models give a record, which a case names as platform:account:record."""
    platform, account, record_id = record.split(":", 2)
    return f"{platform}:{world.name}{account}:{record_id}"


def _policies(case: Case) -> list[tuple[str, str]]:
    """A case's policies as the seed writes values: true, 30, or US,CA."""
    return [
        (
            name,
            ",".join(value)
            if isinstance(value, list)
            else str(value).lower()
            if isinstance(value, bool)
            else str(value),
        )
        for name, value in case.policy.items()
    ]


def _asked(world: World, question: Question) -> dict[str, str]:
    return {
        "world": world.name,
        "channel": question.channel,
        "purpose": question.purpose,
        "topic": question.topic,
        "sender": question.sender,
        "product_category": question.category,
        "policy": "default",
    }


def _told(world: World, fact: Fact) -> dict[str, Any] | None:
    """A fact's row; None for the kinds that no model reads yet."""
    if not isinstance(fact, tuple(_TABLE_OF)):
        return None
    values = fact.model_dump(exclude={"fact", "at", "earliest", "latest", "recorded"})
    row = {_CALLED.get(name, name): value for name, value in values.items()}
    if isinstance(fact, Event):
        row["event_name"] = row.pop("name")
    if isinstance(fact, Link):
        one, other = (record_key(world, record) for record in row.pop("records"))
        taken_back = fact.retracted is not None and fact.retracted <= world.known_at
        row |= {"record_key": one, "other_record_key": other, "retracted": taken_back}
    if isinstance(fact, Review):
        row["reviewed_id"] = row.pop("of")
    at = fact.recorded if isinstance(fact, Write) else fact.at
    lo, hi = (at, at) if isinstance(fact, Write) or at else (fact.earliest, fact.latest)
    return row | {
        "world": world.name,
        "account": world.name + getattr(fact, "account", ""),
        "valid_lo": lo,
        "valid_hi": hi,
        "recorded_at": fact.recorded or hi or world.as_of,
    }
