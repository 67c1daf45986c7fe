"""What the platforms of a built shop show of consent, and what people texted, in the platforms' own values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import duckdb

from orchestration.deciding.cases import Status, Text
from tests.deciding.shop_rows import Row, named, rows

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
    parts = [f"{name}={part}" for name, part in sorted({**told, **when}.items()) if part is not None]
    identity = (platform, row["account"], row["record_id"], field, value, *parts)
    yield Status(
        fact="status",
        id=named(*identity),
        recorded=row["first_seen_at"],
        platform=platform,
        account=row["account"],
        record=row["record_id"],
        field=field,
        value=value,
        **when,
        **told,
    )


def shopify(connection: duckdb.DuckDBPyConnection) -> Iterator[Status]:
    """What customers and webhooks of Shopify show: consent by channel, and who is to be erased."""
    shown = rows(connection, "SELECT * FROM staging.stg_shopify__customers WHERE fits")
    told = rows(
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
                yield from _status("shopify", row, "consent", "redacted", identifier=row[kind], earliest=at, latest=at)


def klaviyo(connection: duckdb.DuckDBPyConnection) -> Iterator[Status]:
    """What profiles and events of Klaviyo show: subscriptions, suppressions, and acts."""
    for row in rows(connection, "SELECT * FROM staging.stg_klaviyo__profiles WHERE fits"):
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
    for row in rows(connection, "SELECT * FROM staging.klaviyo__acts"):
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


def hubspot(connection: duckdb.DuckDBPyConnection) -> Iterator[Status]:
    """What contacts, subscription statuses and webhooks of HubSpot show; ValueError where no value says it."""
    for row in rows(connection, "SELECT * FROM staging.stg_hubspot__subscription_statuses WHERE fits"):
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
    for row in rows(connection, "SELECT * FROM staging.stg_hubspot__contacts WHERE fits"):
        if row["hard_bounce"] or row["quarantined"]:
            raise ValueError("a bounce at HubSpot, for which the vocabulary has no value")
        if row["email_opt_out"]:
            value = f"hs_email_optout={row['email_opt_out'].lower()}"
            yield from _status("hubspot", row, "consent", value, identifier=row["email"])
    for row in rows(connection, "SELECT * FROM staging.hubspot__acts"):
        if row["act"] == "contact.privacyDeletion":
            raise ValueError("a deletion for privacy at HubSpot, for which the vocabulary has no value")
        if row["opt_out"]:
            yield from _status(
                "hubspot", row, "consent", row["opt_out"], topic=row["topic"], earliest=row["occurred_at"],
                latest=row["occurred_at"],
            )  # fmt: skip


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def texts(connection: duckdb.DuckDBPyConnection) -> Iterator[Text | Status]:
    """Texts that people sent, and the errors of those that did not reach them."""
    logged = rows(
        connection, "SELECT *, coalesce(sent_at, created_at) AS at FROM staging.stg_twilio__messages WHERE fits"
    )
    told = rows(
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
