"""A builder of tiny raw warehouses: rows of real platform shapes, landed the way the pull lands them."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OBJECTS = {
    "shopify": ("customers", "orders"),
    "klaviyo": ("profiles", "events", "metrics"),
    "twilio": ("messages",),
    "hubspot": ("contacts", "subscription_statuses", "events"),
    "aevent": (),
}
RAW = (
    "account VARCHAR, record_id VARCHAR, updated_at TIMESTAMPTZ, extracted_at TIMESTAMPTZ,"
    " payload {}, payload_hash VARCHAR"
)
OWN = {
    "links": (
        "link_id VARCHAR, verdict VARCHAR, left_platform VARCHAR, left_account VARCHAR, left_record_id VARCHAR,"
        " right_platform VARCHAR, right_account VARCHAR, right_record_id VARCHAR, actor VARCHAR, reason VARCHAR,"
        " recorded_at TIMESTAMPTZ"
    ),
    "writes": (
        "write_id VARCHAR, platform VARCHAR, account VARCHAR, channel VARCHAR, key_hash VARCHAR,"
        " identifier_type VARCHAR, identifier VARCHAR, written_at TIMESTAMPTZ"
    ),
    "person_ids": "record_key VARCHAR, person_id VARCHAR",
    "person_history": "person_id VARCHAR, event VARCHAR, other VARCHAR, at_build BIGINT",
}
SUBSCRIBED = {"state": "subscribed", "opt_in_level": "single_opt_in", "consent_updated_at": "2026-01-10T00:00:00Z"}
UNSUBSCRIBED = {"state": "unsubscribed", "opt_in_level": "single_opt_in", "consent_updated_at": "2026-11-01T00:00:00Z"}
REGISTRIES = ("child_protection_utah", "child_protection_michigan", "do_not_call_us", "reassigned_numbers_us")
NOT_SUBSCRIBED = {"state": "not_subscribed", "opt_in_level": None, "consent_updated_at": None}


def ago(**parts: float) -> datetime:
    """The moment that lies `parts` (as of timedelta) before NOW."""
    return NOW - timedelta(**parts)


class Raw:
    """Writes raw rows into a warehouse file; use as a context manager, since one process holds the file."""

    def __init__(self, path: Path, payload_type: str = "JSON") -> None:
        self.path = path
        self.payload_type = payload_type
        self.counter = itertools.count(1)

    def __enter__(self) -> Self:
        self.connection = duckdb.connect(str(self.path))
        self.connection.execute("set TimeZone = 'UTC'")
        columns = RAW.format(self.payload_type)
        for platform, names in OBJECTS.items():
            self.connection.execute(f"create schema if not exists raw_{platform}")
            for name in names:
                self.connection.execute(f"create table if not exists raw_{platform}.{name} ({columns})")
            self.connection.execute(
                f"create table if not exists raw_{platform}.webhooks ({columns},"
                " landing_id VARCHAR, topic VARCHAR, lane VARCHAR, received_at TIMESTAMPTZ)"
            )
        self.connection.execute("create schema if not exists raw_audiences")
        self.connection.execute(
            f"create table if not exists raw_audiences.webhooks ({columns},"
            " landing_id VARCHAR, topic VARCHAR, lane VARCHAR, received_at TIMESTAMPTZ)"
        )
        self.connection.execute(
            "create table if not exists raw_audiences.builds"
            " (build_id BIGINT, as_of TIMESTAMPTZ, known_at TIMESTAMPTZ, started_at TIMESTAMPTZ)"
        )
        self.connection.execute(
            "create table if not exists raw_audiences.contacts (platform VARCHAR, account VARCHAR, object VARCHAR,"
            " contacted_at TIMESTAMPTZ, schedule_seconds BIGINT)"
        )
        self.connection.execute(
            "create table if not exists raw_audiences.registry_receipts (receipt_id VARCHAR, registry VARCHAR,"
            " identifier VARCHAR, result VARCHAR, since DATE, compared_at TIMESTAMPTZ, recorded_at TIMESTAMPTZ,"
            " retracted_at TIMESTAMPTZ)"
        )
        self.connection.execute(
            "create table if not exists raw_audiences.registry_misfits (import_id VARCHAR, registry VARCHAR,"
            " row_id VARCHAR, field VARCHAR, reason VARCHAR, seen_at TIMESTAMPTZ)"
        )
        self.connection.execute(
            "create table if not exists raw_audiences.reviews (review_id VARCHAR, reviewed_id VARCHAR,"
            " verdict VARCHAR, actor VARCHAR, reason VARCHAR, recorded_at TIMESTAMPTZ)"
        )
        for name, columns in OWN.items():
            self.connection.execute(f"create table if not exists raw_audiences.{name} ({columns})")
        self.connection.execute(
            "create table if not exists raw_audiences.honours (answer VARCHAR, answer_id VARCHAR, platform VARCHAR,"
            " account VARCHAR, channel VARCHAR, identifier VARCHAR, record_id VARCHAR, accepted_at TIMESTAMPTZ)"
        )
        self.connection.execute(
            "create or replace table raw_audiences.accounts as select platform, 'main' as account, 'acme' as brand,"
            " 'US' as default_region, ['US', 'CA', 'GB'] as markets, external_ids::json as external_ids"
            """ from (values
                ('shopify', '{"aevent:main": "facts.aevent_registrant_id"}'),
                ('klaviyo', '{"aevent:main": "aevent_registrant_id"}'),
                ('hubspot', '{"aevent:main": "aevent_registrant_id"}'),
                ('twilio', '{}'),
                ('aevent', '{}')
            ) as platforms (platform, external_ids)"""
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def build(self, build_id: int, as_of: datetime = NOW) -> None:
        """Announce a build: what the clock of the models will read."""
        self.connection.execute("insert into raw_audiences.builds values (?, ?, ?, ?)", [build_id, as_of, as_of, as_of])

    def compared(
        self,
        registry: str,
        at: datetime,
        identifier: str | None = None,
        result: str | None = None,
        since: date | None = None,
    ) -> None:
        """Land a receipt of a registry: of the whole list, or of one identifier (`listed`, `clear`, `disconnected`)."""
        number = next(self.counter)
        self.connection.execute(
            "insert into raw_audiences.registry_receipts values (?, ?, ?, ?, ?, ?, ?, null)",
            [f"receipt-{number}", registry, identifier, result, since, at, at],
        )

    def record(
        self,
        platform: str,
        name: str,
        record_id: str,
        payload: Mapping[str, Any],
        updated_at: datetime | None = None,
        extracted_at: datetime = NOW - timedelta(hours=1),
    ) -> None:
        """Land one version of a record of an object."""
        text = json.dumps(payload, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.connection.execute(
            f"insert into raw_{platform}.{name} values (?, ?, ?, ?, ?, ?)",
            ["main", record_id, updated_at, extracted_at, text, digest],
        )

    def webhook(
        self,
        platform: str,
        topic: str,
        payload: Mapping[str, Any] | Sequence[Any],
        record_id: str | None = None,
        received_at: datetime = NOW - timedelta(minutes=30),
        landing_id: str | None = None,
    ) -> str:
        """Land one webhook delivery and return its landing id."""
        number = next(self.counter)
        landing_id = landing_id or f"landing-{number}"
        text = json.dumps(payload, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.connection.execute(
            f"insert into raw_{platform}.webhooks values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                "main",
                record_id or f"delivery-{number}",
                received_at,
                received_at,
                text,
                digest,
                landing_id,
                topic,
                "speed",
                received_at,
            ],
        )
        return landing_id

    def customer(
        self,
        record_id: int,
        email: str | None = None,
        phone: str | None = None,
        *,
        email_consent: Mapping[str, Any] | None = SUBSCRIBED,
        sms_consent: Mapping[str, Any] | None = SUBSCRIBED,
        country: str | None = "US",
        region: str | None = "CA",
        birth_date: str | None = None,
        registrant: str | None = None,
        updated_at: datetime = NOW - timedelta(days=2),
        extracted_at: datetime = NOW - timedelta(hours=1),
        **more: Any,
    ) -> None:
        """Land a Shopify customer, by default subscribed to both channels and living in California."""
        metafields = [{"namespace": "custom", "key": "size", "type": "single_line_text_field", "value": "XL"}]
        if birth_date is not None:
            metafields.append({"namespace": "facts", "key": "birth_date", "type": "date", "value": birth_date})
        if registrant is not None:
            metafields.append({"namespace": "facts", "key": "aevent_registrant_id", "type": "id", "value": registrant})
        payload = {
            "id": record_id,
            "admin_graphql_api_id": f"gid://shopify/Customer/{record_id}",
            "email": email,
            "phone": phone,
            "first_name": "Pat",
            "last_name": f"Number {record_id}",
            "state": "enabled",
            "tags": "newsletter, vip",
            "default_address": {"country_code": country, "province_code": region, "zip": "94016"} if country else None,
            "email_marketing_consent": email_consent,
            "sms_marketing_consent": sms_consent,
            "metafields": metafields,
            "created_at": "2025-06-01T10:00:00-07:00",
            "updated_at": updated_at.isoformat(),
            **more,
        }
        self.record("shopify", "customers", str(record_id), payload, updated_at, extracted_at)

    def order_payload(
        self,
        order_id: int,
        customer_id: int | None,
        processed_at: datetime | str,
        *,
        skus: Sequence[str | None] = ("TEA-1",),
        total: str = "40.00",
        currency: str = "USD",
        status: str = "paid",
        cancelled_at: datetime | None = None,
        tags: str = "",
        country: str = "US",
        region: str = "CA",
        **more: Any,
    ) -> dict[str, Any]:
        """A Shopify order the way REST and the orders topics show it."""
        moment = processed_at if isinstance(processed_at, str) else processed_at.isoformat()
        return {
            "id": order_id,
            "name": f"#{order_id}",
            "email": None,
            "phone": None,
            "customer": {"id": customer_id, "first_name": "Pat", "last_name": f"Number {customer_id}"},
            "financial_status": status,
            "currency": currency,
            "total_price": total,
            "tags": tags,
            "line_items": [{"id": place, "sku": sku, "quantity": 1} for place, sku in enumerate(skus)],
            "shipping_address": {"country_code": country, "province_code": region, "zip": "94016"},
            "cancelled_at": cancelled_at.isoformat() if cancelled_at else None,
            "created_at": moment,
            "processed_at": moment,
            "updated_at": moment,
            **more,
        }

    def order(self, order_id: int, customer_id: int | None, processed_at: datetime | str, **parts: Any) -> None:
        """Land a Shopify order; `parts` as for order_payload."""
        payload = self.order_payload(order_id, customer_id, processed_at, **parts)
        self.record("shopify", "orders", str(order_id), payload)

    def profile(
        self,
        record_id: str,
        email: str | None = None,
        phone: str | None = None,
        *,
        email_consent: Mapping[str, Any] | None = None,
        sms_consent: Mapping[str, Any] | None = None,
        location: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        updated_at: datetime = NOW - timedelta(days=2),
        extracted_at: datetime = NOW - timedelta(hours=1),
    ) -> None:
        """Land a Klaviyo profile; the consents are the `marketing` objects of its subscriptions."""
        never = {"consent": "NEVER_SUBSCRIBED", "suppression": [], "list_suppressions": []}
        payload = {
            "type": "profile",
            "id": record_id,
            "attributes": {
                "email": email,
                "phone_number": phone,
                "external_id": None,
                "first_name": "Pat",
                # The name of the shop's customer of the same number.
                "last_name": f"Number {record_id.lstrip('K0')}",
                "locale": "en-US",
                "location": location or {},
                "properties": properties or {},
                "subscriptions": {
                    "email": {"marketing": {"can_receive_email_marketing": True, **never, **(email_consent or {})}},
                    "sms": {"marketing": {"consent": "NEVER_SUBSCRIBED", **(sms_consent or {})}},
                },
                "created": "2025-06-02T10:00:00+00:00",
                "updated": updated_at.isoformat(),
            },
            "links": {"self": f"https://a.klaviyo.com/api/profiles/{record_id}/"},
        }
        self.record("klaviyo", "profiles", record_id, payload, updated_at, extracted_at)

    def metric(self, record_id: str, name: str) -> None:
        """Land a Klaviyo metric."""
        self.record(
            "klaviyo", "metrics", record_id, {"type": "metric", "id": record_id, "attributes": {"name": name}}, None
        )

    def event(self, record_id: str, metric_id: str, profile_id: str, occurred_at: datetime, **properties: Any) -> None:
        """Land a Klaviyo event."""
        payload = {
            "type": "event",
            "id": record_id,
            "attributes": {
                "timestamp": int(occurred_at.timestamp()),
                "datetime": occurred_at.isoformat(),
                "event_properties": properties,
                "uuid": record_id,
            },
            "relationships": {
                "profile": {"data": {"type": "profile", "id": profile_id}},
                "metric": {"data": {"type": "metric", "id": metric_id}},
            },
        }
        self.record("klaviyo", "events", record_id, payload, occurred_at)

    def klaviyo_item(self, topic: str, event_id: str, profile_id: str, occurred_at: datetime) -> dict[str, Any]:
        """One item of a Klaviyo webhook body."""
        return {
            "topic": f"event:klaviyo.{topic}",
            "external_id": event_id,
            "payload": {
                "data": {
                    "type": "event",
                    "id": event_id,
                    "attributes": {"timestamp": int(occurred_at.timestamp()), "event_properties": {}},
                    "relationships": {"profile": {"data": {"type": "profile", "id": profile_id}}},
                }
            },
        }

    def message(
        self,
        sid: str,
        address: str,
        occurred_at: datetime,
        *,
        body: str = "hello",
        inbound: bool = True,
        error_code: int | None = None,
    ) -> None:
        """Land a Twilio message between `address` and our own number."""
        ours, moment = "+14155559876", format_datetime(occurred_at)
        payload = {
            "sid": sid,
            "messaging_service_sid": None,
            "from": address if inbound else ours,
            "to": ours if inbound else address,
            "body": body,
            "direction": "inbound" if inbound else "outbound-api",
            "status": "received" if inbound else "failed" if error_code else "delivered",
            "error_code": error_code,
            "date_created": moment,
            "date_sent": None if error_code else moment,
            "date_updated": moment,
        }
        self.record("twilio", "messages", sid, payload, occurred_at)
