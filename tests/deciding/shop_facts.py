"""A built shop as facts of cases: what its platforms told, in their own values and times, before any model weighed it.

Only staged rows are read, the records and events that the platforms' shapes unite, and what people brought in. What a
case file cannot say (a block by hand) is refused rather than left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import duckdb

from orchestration.deciding.cases import Age, Contact, Event, Fact, Link, Record, Review, Scrub, Status, Text
from tests.oracle import Rules

Row = Mapping[str, Any]

#: Klaviyo's metrics and webhook topics, in the words of its consent and its suppressions.
KLAVIYO_ACTS = {
    "Subscribed to Email Marketing": ("email", "consent", "SUBSCRIBED"),
    "Unsubscribed from Email Marketing": ("email", "consent", "UNSUBSCRIBED"),
    "Subscribed to SMS Marketing": ("sms", "consent", "SUBSCRIBED"),
    "Unsubscribed from SMS Marketing": ("sms", "consent", "UNSUBSCRIBED"),
    "Marked Email as Spam": ("email", "suppression", "SPAM_COMPLAINT"),
    "Bounced Email": ("email", "suppression", "HARD_BOUNCE"),
    "Manually Suppressed from Email Marketing": ("email", "suppression", "USER_SUPPRESSED"),
}
KLAVIYO_ACTS |= {f"event:klaviyo.{name.lower().replace(' ', '_')}": act for name, act in KLAVIYO_ACTS.items()}
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
        *_shopify(connection),
        *_klaviyo(connection),
        *_hubspot(connection),
        *_texts(connection),
        *_events(connection),
        *_ages(connection, rules),
        *_inputs(connection),
    ]
    return _once(told)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[Row]:
    found = connection.execute(query)
    names = [column[0] for column in found.description]
    return (dict(zip(names, row, strict=True)) for row in found.fetchall())


def _once(told: Iterable[Fact]) -> list[Fact]:
    """Each fact once: a state that stands through several versions was learnt with the first of them."""
    first: dict[str, Fact] = {}
    for fact in told:
        known = first.get(fact.id)
        if known is None or (fact.recorded and known.recorded and fact.recorded < known.recorded):
            first[fact.id] = fact
    return list(first.values())


def _named(platform: str, *parts: object) -> str:
    return ":".join([platform, *("" if part is None else str(part) for part in parts)])


def _name(row: Row) -> str | None:
    return " ".join(part for part in (row["first_name"], row["last_name"]) if part) or None


def _records(connection: duckdb.DuckDBPyConnection) -> Iterator[Record]:
    configured = {
        (row["platform"], row["account"]): json.loads(row["external_ids"] or "{}")
        for row in _rows(connection, "SELECT platform, account, external_ids FROM raw_audiences.accounts")
    }
    for row in _rows(connection, "SELECT * FROM intermediate.customer_records"):
        properties = json.loads(row["properties"] or "{}")
        fields = configured.get((row["platform"], row["account"]), {})
        ids = {holder: properties[field] for holder, field in fields.items() if isinstance(properties.get(field), str)}
        shown = Record(
            fact="record",
            id=_named("record", row["record_key"], row["payload_hash"]),
            recorded=row["first_seen_at"],
            at=row["updated_at"],
            platform=row["platform"],
            account=row["account"],
            record=row["record_id"],
            email=row["email"],
            phone=row["phone"],
            name=_name(row),
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


def _status(platform: str, row: Row, field: str, value: str | None, **told: Any) -> Iterator[Status]:
    """A value that a platform shows; none is no fact. `earliest` and `latest`, where equal, are the moment itself."""
    if value is None:
        return
    when = {name: told.pop(name, None) for name in ("earliest", "latest")}
    told["detail"] = told.get("detail") or "*"
    if when["earliest"] and when["earliest"] == when["latest"]:
        when = {"at": when["latest"]}
    elif when["latest"] is None:
        # A state without a time of its own was shown by then, once for each version that shows it.
        when = {"latest": row["first_seen_at"]}
    identity = (row["account"], row["record_id"], field, value, *sorted(told.items()), *sorted(when.items()))
    yield Status(
        fact="status",
        id=_named(platform, *(str(part) for part in identity)),
        recorded=row["first_seen_at"],
        platform=platform,
        account=row["account"],
        record=row["record_id"],
        field=field,
        value=value,
        **when,
        **told,
    )


def _shopify(connection: duckdb.DuckDBPyConnection) -> Iterator[Status]:
    shown = _rows(connection, "SELECT * FROM staging.stg_shopify__customers WHERE fits")
    told = _rows(
        connection,
        "SELECT * REPLACE (customer_id AS record_id) FROM staging.stg_shopify__webhooks WHERE fits",
    )
    for row in (*shown, *told):
        for channel, kind in (("email", "email"), ("sms", "phone")):
            at = row[f"{channel}_consent_at"]
            yield from _status(
                "shopify", row, "consent", row[f"{channel}_state"], detail=row[f"{channel}_opt_in_level"],
                channel=channel, identifier=row[kind], earliest=at, latest=at,
            )  # fmt: skip
            if row.get("topic") == "customers/redact":
                at = row["first_seen_at"]
                yield from _status(
                    "shopify", row, "consent", "redacted", identifier=row[kind], earliest=at, latest=at
                )


def _klaviyo(connection: duckdb.DuckDBPyConnection) -> Iterator[Status]:
    for row in _rows(connection, "SELECT * FROM staging.stg_klaviyo__profiles WHERE fits"):
        for channel, kind in (("email", "email"), ("sms", "phone")):
            value, double = row[f"{channel}_consent"], row[f"{channel}_double_opt_in"]
            given, edited = row[f"{channel}_consent_at"], row[f"{channel}_consent_updated_at"]
            times = [time for time in (given, edited) if time]
            # The subscription may have ended at either; when it was given is told apart.
            yield from _status(
                "klaviyo", row, "consent", value, detail=None if double is None else str(double).lower(),
                channel=channel, identifier=row[kind], earliest=min(times, default=None),
                latest=given if value == "SUBSCRIBED" else max(times, default=None),
            )  # fmt: skip
        for entry in json.loads(row["email_suppressions"] or "[]"):
            at = _time(entry.get("timestamp"))
            yield from _status(
                "klaviyo", row, "suppression", entry.get("reason"), identifier=row["email"], earliest=at, latest=at
            )
        for entry in json.loads(row["email_list_suppressions"] or "[]"):
            at = _time(entry.get("timestamp"))
            yield from _status(
                "klaviyo", row, "list_suppression", entry.get("reason"), identifier=row["email"],
                topic=f"list:{entry.get('list_id')}", earliest=at, latest=at,
            )  # fmt: skip
    for row in _rows(connection, "SELECT * FROM staging.klaviyo__acts"):
        if row["raw_name"] not in KLAVIYO_ACTS:
            continue
        channel, field, value = KLAVIYO_ACTS[row["raw_name"]]
        properties = json.loads(row["properties"] or "{}")
        if str(properties.get("Bounce Type") or properties.get("bounce_type")).lower() == "soft":
            continue
        yield from _status(
            "klaviyo", row, field, value, identifier=row["email"] if channel == "email" else row["phone"],
            channel=channel, earliest=row["occurred_at"], latest=row["occurred_at"],
        )  # fmt: skip


def _hubspot(connection: duckdb.DuckDBPyConnection) -> Iterator[Status]:
    for row in _rows(connection, "SELECT * FROM staging.stg_hubspot__subscription_statuses WHERE fits"):
        for field, name in (("statuses", None), ("wide_statuses", "all mail")):
            for entry in json.loads(row[field] or "[]"):
                at = _time(entry.get("timestamp"))
                topic = entry.get("subscriptionName") or f"type:{entry.get('subscriptionId')}"
                yield from _status(
                    "hubspot", row, "consent", f"{name}={entry['status']}" if name else entry["status"],
                    detail=entry.get("wideStatusType") if name else entry.get("legalBasis"),
                    topic="*" if name else topic.strip().lower(),
                    identifier=entry.get("subscriberIdString") or row["email"], earliest=at, latest=at,
                )  # fmt: skip
    for row in _rows(connection, "SELECT * FROM staging.stg_hubspot__contacts WHERE fits"):
        if row["hard_bounce"] or row["quarantined"]:
            raise ValueError("a bounce at HubSpot, for which the vocabulary has no value")
        if row["email_opt_out"]:
            value = f"hs_email_optout={row['email_opt_out'].lower()}"
            yield from _status("hubspot", row, "consent", value, identifier=row["email"])
    for row in _rows(connection, "SELECT * FROM staging.hubspot__acts"):
        if row["act"] == "contact.privacyDeletion":
            yield from _status("hubspot", row, "erased", "true", earliest=row["occurred_at"], latest=row["occurred_at"])
        if row["opt_out"]:
            yield from _status(
                "hubspot", row, "consent", row["opt_out"], topic=row["topic"], earliest=row["occurred_at"],
                latest=row["occurred_at"],
            )  # fmt: skip


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _texts(connection: duckdb.DuckDBPyConnection) -> Iterator[Text | Status]:
    logged = _rows(connection, "SELECT *, coalesce(sent_at, created_at) AS at FROM staging.stg_twilio__messages WHERE fits")
    told = _rows(
        connection,
        """
        SELECT * REPLACE (message_sid AS record_id), first_seen_at AS at,
            CASE WHEN message_status IS NULL THEN 'inbound' ELSE 'outbound' END AS direction
        FROM staging.stg_twilio__webhooks WHERE fits
        """,
    )
    for row in (*told, *logged):
        inbound = row["direction"] == "inbound"
        own, other = ("to_address", "from_address") if inbound else ("from_address", "to_address")
        sender = row["messaging_service_sid"] or row[own]
        if inbound and row["body"]:
            yield Text(
                fact="text", id=f"twilio:{row['account']}:message:{row['record_id']}", account=row["account"],
                recorded=row["first_seen_at"], at=row["at"], identifier=row[other], sender=sender, body=row["body"],
            )  # fmt: skip
        elif row["error_code"]:
            # The number had opted out at some time before.
            yield from _status(
                "twilio", {**row, "record_id": row[other]}, "error", row["error_code"], identifier=row[other],
                sender=sender, latest=row["at"],
            )  # fmt: skip


def _events(connection: duckdb.DuckDBPyConnection) -> Iterator[Event]:
    for row in _rows(connection, "SELECT * FROM marts.customer_events"):
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
        for row in _rows(connection, query):
            properties = json.loads(row["properties"] or "{}")
            written = next((properties[field] for field in fields if properties.get(field)), None)
            if written:
                yield _age(row, "dob", str(written), 2, at=row["first_seen_at"])
            for tag in row["tags"] or ():
                if any(known["object"] in ("customers", "any") for known in rules.tags.get((platform, tag), ())):
                    yield _age(row, "tag", tag, at=row["first_seen_at"])
            if platform == "hubspot" and properties.get("age_verified"):
                yield _age(row, "tag", f"age_verified={properties['age_verified'].lower()}", at=row["first_seen_at"])
    for row in _rows(connection, "SELECT * FROM staging.stg_shopify__orders WHERE fits AND tags <> ''"):
        payer = {name: row[f"payer_{name}"] or row[name] for name in ("first_name", "last_name")}
        told = {**row, **payer, "platform": "shopify", "record_id": row["customer_id"]}
        for tag in row["tags"].split(","):
            if any(known["object"] in ("orders", "any") for known in rules.tags.get(("shopify", tag.strip()), ())):
                yield _age(told, "tag", tag.strip(), at=row["processed_at"], order=row["order_id"])


def _age(row: Row, kind: Any, value: str, level: int | None = None, *, at: datetime, order: str = "") -> Age:
    return Age(
        fact="age",
        id=_named(row["platform"], row["account"], "age", row["record_id"], order, kind, value),
        recorded=row["first_seen_at"],
        at=at,
        platform=row["platform"],
        account=row["account"],
        record=row["record_id"],
        kind=kind,
        level=level,
        value=value,
        bound_name=_name(row),
        bound_identifier=row["email"],
    )


def _inputs(connection: duckdb.DuckDBPyConnection) -> Iterator[Fact]:
    """What people brought in, and when each source answered last."""
    for row in _rows(connection, "SELECT * FROM raw_audiences.registry_receipts WHERE retracted_at IS NULL"):
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
    for place, row in enumerate(_rows(connection, "SELECT * FROM raw_audiences.contacts")):
        yield Contact(
            fact="contact",
            id=f"contact:{place}",
            at=row["contacted_at"],
            platform=row["platform"],
            account=row["account"],
            object=row["object"],
            schedule_seconds=row["schedule_seconds"],
        )
    for row in _rows(connection, "SELECT * FROM raw_audiences.links"):
        one, other = (
            _named(row[f"{side}_platform"], row[f"{side}_account"], row[f"{side}_record_id"])
            for side in ("left", "right")
        )
        if row["verdict"] == "unmerge":
            raise ValueError("a split by hand, which no fact of a case expresses")
        yield Link(
            fact="link", id=f"link:{row['link_id']}", recorded=row["recorded_at"], records=(one, other),
            reason="by_hand",
        )  # fmt: skip
    for row in _rows(connection, "SELECT * FROM raw_audiences.reviews"):
        yield Review(
            fact="review", id=f"review:{row['review_id']}", recorded=row["recorded_at"], of=row["reviewed_id"],
            verdict=row["verdict"], actor=row["actor"], reason=row["reason"],
        )  # fmt: skip
