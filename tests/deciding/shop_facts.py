"""A built shop as facts of cases: what its platforms told, in their own values and times, before any model weighed it.

Only staged rows are read, the records and events that the platforms' shapes unite, and what people brought in. What a
case file cannot say (a block by hand) is refused rather than left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import duckdb

from orchestration.deciding.cases import Age, Contact, Event, Fact, Link, Record, Review, Scrub, Write
from tests.deciding import shop_statements
from tests.deciding.shop_rows import Row, full_name, named, rows
from tests.oracle import Rules

#: Where people write their birth date at each platform.
BIRTH_DATES = {
    "shopify": ("facts.birth_date",),
    "klaviyo": ("date_of_birth", "birth_date", "birthdate", "Birthday"),
    "hubspot": ("date_of_birth",),
}


def facts(connection: duckdb.DuckDBPyConnection) -> list[Fact]:
    """Every fact of a built shop, each with an id of its own; ValueError where a case cannot express one."""
    rules = Rules.load()
    [(inexpressible,)] = connection.execute("SELECT count(*) FROM raw_audiences.webhooks").fetchall()
    if inexpressible:
        raise ValueError(f"{inexpressible} acts by hand, which no fact of a case expresses")
    told: list[Fact] = [
        *_records(connection),
        *shop_statements.shopify(connection),
        *shop_statements.klaviyo(connection),
        *shop_statements.hubspot(connection),
        *shop_statements.texts(connection),
        *_events(connection),
        *_ages(connection, rules),
        *_inputs(connection),
    ]
    return _once(told)


def _once(told: Iterable[Fact]) -> list[Fact]:
    """Each fact once: a state that stands through several versions was learnt with the first of them."""
    first: dict[str, Fact] = {}
    for fact in told:
        known = first.get(fact.id)
        if known is None or (fact.recorded and known.recorded and fact.recorded < known.recorded):
            first[fact.id] = fact
    return list(first.values())


def _records(connection: duckdb.DuckDBPyConnection) -> Iterator[Record]:
    configured = {
        (row["platform"], row["account"]): json.loads(row["external_ids"] or "{}")
        for row in rows(connection, "SELECT platform, account, external_ids FROM raw_audiences.accounts")
    }
    for row in rows(connection, "SELECT * FROM intermediate.customer_records"):
        properties = json.loads(row["properties"] or "{}")
        fields = configured.get((row["platform"], row["account"]), {})
        ids = {holder: properties[field] for holder, field in fields.items() if isinstance(properties.get(field), str)}
        shown = Record(
            fact="record",
            id=named("record", row["record_key"], row["payload_hash"]),
            recorded=row["first_seen_at"],
            at=row["updated_at"],
            platform=row["platform"],
            account=row["account"],
            record=row["record_id"],
            email=row["email"],
            phone=row["phone"],
            name=full_name(row),
            country=row["country"],
            region=row["region"],
            postal_code=row["postal_code"],
            place="location" if row["place_kind"] == "location" else "billing",
            time_zone=row["time_zone"],
            external_ids=ids,
        )
        yield shown
        if row["deleted_at"]:
            gone = {"id": shown.id + ":gone", "deleted": True, "at": row["deleted_at"], "recorded": row["deleted_at"]}
            yield shown.model_copy(update=gone)


def _events(connection: duckdb.DuckDBPyConnection) -> Iterator[Event]:
    for row in rows(connection, "SELECT * FROM marts.customer_events"):
        if not (row["record_id"] or row["email"] or row["phone"]):
            continue  # a registrant's id is no identifier of a message
        yield Event(
            fact="event",
            id=row["event_id"],
            recorded=row["recorded_at"],
            at=row["occurred_at"],
            platform=row["platform"],
            account=row["account"],
            record=row["record_id"],
            identifier=row["email"] or row["phone"],
            name=row["event_name"],
            person_name=row["person_name"] or None,
            country=row["country"],
            region=row["region"],
            categories=row["product_categories"],
        )


def _ages(connection: duckdb.DuckDBPyConnection, rules: Rules) -> Iterator[Age]:
    """Birth dates as they were written, and tags; each was there by the time its record was seen."""
    for platform, fields in BIRTH_DATES.items():
        query = f"SELECT * FROM intermediate.customer_records WHERE platform = '{platform}'"
        for row in rows(connection, query):
            properties = json.loads(row["properties"] or "{}")
            written = next((properties[field] for field in fields if properties.get(field)), None)
            if written:
                yield _age(row, "dob", str(written), 2, at=row["first_seen_at"])
            for tag in row["tags"] or ():
                if any(known["object"] in ("customers", "any") for known in rules.tags.get((platform, tag), ())):
                    yield _age(row, "tag", tag, at=row["first_seen_at"])
            if platform == "hubspot" and properties.get("age_verified"):
                yield _age(row, "tag", f"age_verified={properties['age_verified'].lower()}", at=row["first_seen_at"])
    for row in rows(connection, "SELECT * FROM staging.stg_shopify__orders WHERE fits AND tags <> ''"):
        payer = {name: row[f"payer_{name}"] or row[name] for name in ("first_name", "last_name")}
        told = {**row, **payer, "platform": "shopify", "record_id": row["customer_id"]}
        for tag in row["tags"].split(","):
            if any(known["object"] in ("orders", "any") for known in rules.tags.get(("shopify", tag.strip()), ())):
                yield _age(told, "tag", tag.strip(), at=row["processed_at"], order=row["order_id"])


def _age(row: Row, kind: Any, value: str, level: int | None = None, *, at: datetime, order: str = "") -> Age:
    return Age(
        fact="age",
        id=named(row["platform"], row["account"], "age", row["record_id"], order, kind, value),
        recorded=row["first_seen_at"],
        at=at,
        platform=row["platform"],
        account=row["account"],
        record=row["record_id"],
        kind=kind,
        level=level,
        value=value,
        bound_name=full_name(row),
        bound_identifier=row["email"],
    )


def _inputs(connection: duckdb.DuckDBPyConnection) -> Iterator[Fact]:
    """What people brought in, and when each source answered last."""
    for row in rows(connection, "SELECT * FROM raw_audiences.registry_receipts WHERE retracted_at IS NULL"):
        yield Scrub(
            fact="scrub",
            id=f"receipt:{row['receipt_id']}",
            recorded=row["recorded_at"],
            at=row["compared_at"],
            registry=row["registry"],
            identifier=row["identifier"],
            result=row["result"] or "clear",
            since=row["since"],
        )
    for place, row in enumerate(rows(connection, "SELECT * FROM raw_audiences.contacts")):
        yield Contact(
            fact="contact",
            id=f"contact:{place}",
            at=row["contacted_at"],
            platform=row["platform"],
            account=row["account"],
            object=row["object"],
            schedule_seconds=row["schedule_seconds"],
        )
    # Writes of ours are known by name once a build knows whose they were.
    for row in rows(connection, "SELECT * FROM raw_audiences.writes WHERE identifier IS NOT NULL"):
        yield Write(
            fact="write", id=f"write:{row['write_id']}", recorded=row["written_at"], at=row["written_at"],
            platform=row["platform"], account=row["account"], identifier=row["identifier"], channel=row["channel"],
            state="withdrawn",
        )  # fmt: skip
    for row in rows(connection, "SELECT * FROM raw_audiences.links"):
        one, other = (
            named(row[f"{side}_platform"], row[f"{side}_account"], row[f"{side}_record_id"])
            for side in ("left", "right")
        )
        if row["verdict"] == "unmerge":
            raise ValueError("a split by hand, which no fact of a case expresses")
        yield Link(
            fact="link", id=f"link:{row['link_id']}", recorded=row["recorded_at"], records=(one, other),
            reason="by_hand",
        )  # fmt: skip
    for row in rows(connection, "SELECT * FROM raw_audiences.reviews"):
        yield Review(
            fact="review", id=f"review:{row['review_id']}", recorded=row["recorded_at"], of=row["reviewed_id"],
            verdict=row["verdict"], actor=row["actor"], reason=row["reason"],
        )  # fmt: skip
