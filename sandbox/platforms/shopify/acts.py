"""What people do at the shop, and the webhook that follows: unsubscribe, buy, be forgotten."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from sandbox import population_data as data
from sandbox.facts import Line, Person, Record, utc_now, valid_email, valid_phone
from sandbox.platforms.shopify.state import State, count_order, order_row, stamp
from sandbox.standin import Act, Webhook
from sandbox.store import Row


def sign(secret: str, body: bytes) -> str:
    """The X-Shopify-Hmac-SHA256: base64 HMAC-SHA256 over the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


class Acts:
    """The acts, over one state."""

    def __init__(self, state: State, secret: str, domain: str, version: str) -> None:
        self.state, self.secret, self.domain, self.version = state, secret, domain, version
        self.acts: dict[str, Act] = {
            "email_unsubscribe": self.unsubscribe,
            "sms_unsubscribe": self.unsubscribe_texts,
            "email_double_opt_in": self.double_opt_in,
            "order": self.order,
            "erase": self.erase,
        }

    def unsubscribe(self, person: Person, options: Row) -> Webhook:
        """The person leaves the shop's mailing."""
        return self._email(person, options, "withdrawn", "unsubscribed", "single_opt_in")

    def double_opt_in(self, person: Person, options: Row) -> Webhook:
        """The person confirms a subscription by a click."""
        return self._email(person, options, "granted_confirmed", "subscribed", "confirmed_opt_in")

    def unsubscribe_texts(self, person: Person, options: Row) -> Webhook:
        """The person leaves the shop's texts."""
        at = utc_now()
        record, phone = self._record(person, options, "phone")
        row = self.state.consent(record.record_id, "sms", "unsubscribed", "single_opt_in", at)
        self._say(person, "sms", phone, "withdrawn", at)
        consent = row["sms_marketing_consent"]
        body = {"customer_id": row["id"], "phone": row["phone"], "sms_marketing_consent": consent}
        return self._webhook("customers_marketing_consent/update", body)

    def order(self, person: Person, options: Row) -> Webhook:
        """The person buys one thing; `sku`, `total`, `currency`, `tags` and `country` may be chosen."""
        records = self._records(person, options)
        at, sku = utc_now(), str(options.get("sku", "TEA-0101"))
        country = options.get("country") or next((o.country for o in reversed(person.orders) if o.country), "US")
        region = next((o.region for o in reversed(person.orders) if o.country == country), None)
        goods = {item[0]: item for items in data.GOODS.values() for item in items}
        _, title, price = goods.get(sku, (sku, sku, "14.50"))
        line = Line(sku, title, 1, f"{Decimal(str(options.get('total', price))):.2f}")
        order_id = str(max(map(int, self.state.orders.rows), default=5_500_000_000_001) + 32)
        fields: Row = {
            "order_id": order_id, "record_id": records[0].record_id, "total": line.price, "status": "paid",
            "currency": str(options.get("currency") or data.CURRENCIES.get(country, "USD")),
            "lines": [asdict(line)], "tags": str(options.get("tags", "")), "country": country, "region": region,
        }  # fmt: skip
        self.state.standin.world.add_fact("order", person.person, at, **fields)
        customer = dict(self.state.customers.rows[records[0].record_id])
        row = order_row(person.orders[-1], customer, person)
        self.state.orders.put(order_id, row)
        self.state.orders_of.setdefault(records[0].record_id, []).append(order_id)
        count_order(customer, row)
        self.state.customers.put(records[0].record_id, customer)
        return self._webhook("orders/create", row)

    def erase(self, person: Person, options: Row) -> Webhook:
        """The person asks to be forgotten; the shop blanks the customer and tells its apps."""
        record, at = self._records(person, options)[0], utc_now()
        row = self.state.customers.rows[record.record_id]
        body = {
            "shop_id": 548380009, "shop_domain": self.domain,
            "customer": {"id": row["id"], "email": row["email"], "phone": row["phone"]},
            "orders_to_redact": [int(order) for order in self.state.orders_of.get(record.record_id, [])],
        }  # fmt: skip
        self.state.standin.world.add_fact("erased", person.person, at)
        self.state.erase(record.record_id, at)
        return self._webhook("customers/redact", body)

    def _email(self, person: Person, options: Row, said: str, state: str, level: str) -> Webhook:
        at = utc_now()
        record, email = self._record(person, options, "email")
        row = self.state.consent(record.record_id, "email", state, level, at)
        self._say(person, "email", email, said, at)
        consent = row["email_marketing_consent"]
        body = {"customer_id": row["id"], "email_address": row["email"], "email_marketing_consent": consent}
        return self._webhook("customers_email_marketing_consent/update", body)

    def _records(self, person: Person, options: Row) -> list[Record]:
        wanted = options.get("record")
        found = [r for r in person.at("shopify") if r.record_id in self.state.customers.rows]
        found = [r for r in found if wanted in (None, r.record_id)]
        if not found:
            raise LookupError(f"{person.person} is no customer of the shop")
        return found

    def _record(self, person: Person, options: Row, kind: str) -> tuple[Record, str]:
        for record in self._records(person, options):
            row = self.state.customers.rows[record.record_id]
            key = valid_email(row["email"]) if kind == "email" else valid_phone(row["phone"])
            if key:
                return record, key
        raise LookupError(f"{person.person} has no {kind} at the shop")

    def _say(self, person: Person, channel: str, identifier: str, state: str, at: datetime) -> None:
        self.state.standin.world.add_fact(
            "statement", person.person, at, channel=channel, identifier=identifier, state=state, platform="shopify"
        )

    def _webhook(self, topic: str, content: Any) -> Webhook:
        body, delivery = orjson.dumps(content), str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json", "User-Agent": "Shopify-Captain-Hook", "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": self.domain, "X-Shopify-API-Version": self.version,
            "X-Shopify-Webhook-Id": delivery, "X-Shopify-Event-Id": str(uuid.uuid4()),
            "X-Shopify-Triggered-At": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "X-Shopify-Name": "audiences",
        }  # fmt: skip
        targets = [row["address"] for row in self.state.webhooks.rows.values() if row["topic"] == topic]

        def signed(url: str, sent: bytes) -> dict[str, str]:
            return {"X-Shopify-Hmac-SHA256": sign(self.secret, sent)}

        return Webhook(topic, body, headers, delivery, signed, targets)


def shop_row(domain: str, founded: datetime) -> Row:
    """The shop itself, as shop.json shows it."""
    return {
        "id": 548380009, "name": "Acme", "email": "owner@acme.example", "domain": domain, "myshopify_domain": domain,
        "country_code": "US", "currency": "USD", "iana_timezone": "Etc/GMT+5", "plan_name": "basic",
        "shop_owner": "Acme Owner", "created_at": stamp(founded), "updated_at": stamp(founded), "primary_locale": "en",
    }  # fmt: skip
