"""What the shop knows: customers, their metafields, orders, webhook subscriptions. Rows are REST resources."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from sandbox import population_data as data
from sandbox.facts import Facts, Line, Order, Person, Record, Statement, valid_email, valid_phone
from sandbox.standin import StandIn
from sandbox.store import Row

_PLACES = {place[:2]: place for place in data.PLACES}
SHOP_ZONE = timezone(timedelta(hours=-5))
_EMAIL_STATES = {
    "granted": ("subscribed", "single_opt_in"), "granted_confirmed": ("subscribed", "confirmed_opt_in"),
    "pending": ("pending", "confirmed_opt_in"), "withdrawn": ("unsubscribed", "single_opt_in"),
}  # fmt: skip


def stamp(moment: datetime) -> str:
    """A time as Shopify writes it: with the shop's offset."""
    return moment.astimezone(SHOP_ZONE).isoformat(timespec="seconds")


def gid(kind: str, row_id: str | int) -> str:
    """A GraphQL id."""
    return f"gid://shopify/{kind}/{row_id}"


def split_tags(text: str) -> list[str]:
    """The tags of a comma-separated text: trimmed, each once (case is ignored), in alphabetical order."""
    found = {tag.strip().lower(): tag.strip() for tag in text.split(",") if tag.strip()}
    return [found[key] for key in sorted(found)]


class State:
    """The shop's tables, and the changes that several paths share."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.customers = standin.table("customers")
        self.customers.sort_by("id", lambda row: "")
        self.customers.sort_by("updated_at", lambda row: str(row["updated_at"]))
        self.customers.look_up_by("email", lambda row: valid_email(row["email"]))
        self.customers.look_up_by("phone", lambda row: valid_phone(row["phone"]))
        self.orders = standin.table("orders")
        self.orders.sort_by("created_at", lambda row: str(row["created_at"]))
        self.metafields = standin.table("metafields")
        self.webhooks = standin.table("webhooks")
        self.orders_of: dict[str, list[str]] = {}

    def seed(self, facts: Facts) -> None:
        """Render the population."""
        customers: dict[str, Row] = {}
        orders: dict[str, Row] = {}
        metafields: dict[str, Row] = {}
        for person in facts.people.values():
            for record in person.at("shopify"):
                customers[record.record_id] = _customer(person, record)
                fields = _metafields(record)
                if fields:
                    metafields[record.record_id] = {"fields": fields}
            for order in person.orders:
                orders[order.order_id] = order_row(order, customers[order.record_id], person)
        for row in sorted(orders.values(), key=lambda order: order["id"]):
            count_order(customers[str(row["customer"]["id"])], row)
        self.customers.load(customers)
        self.metafields.load(metafields)
        self.orders.load(orders)
        self.index_orders()

    def index_orders(self) -> None:
        """Find each customer's orders again, after the tables were filled."""
        self.orders_of = {}
        for row_id, row in self.orders.rows.items():
            self.orders_of.setdefault(str(row["customer"]["id"]), []).append(row_id)

    def change(self, row_id: str, at: datetime, **fields: Any) -> Row:
        """Save changed fields of a customer."""
        row: Row = self.customers.rows[row_id] | fields
        row["updated_at"] = max(row["updated_at"], stamp(at))
        self.customers.put(row_id, row)
        return row

    def consent(self, row_id: str, channel: str, state: str, level: str | None, at: datetime) -> Row:
        """Save a consent state ("email" or "sms") with its own time."""
        new: Row = {"state": state, "opt_in_level": level, "consent_updated_at": stamp(at)}
        if channel == "sms":
            new["consent_collected_from"] = "OTHER"
        return self.change(row_id, at, **{f"{channel}_marketing_consent": new})

    def erase(self, row_id: str, at: datetime) -> None:
        """Blank everything personal, as after a redaction."""
        self.metafields.drop(row_id)
        self.change(row_id, at, **_redacted(at))
        for order_id in self.orders_of.get(row_id, []):
            order = self.orders.rows[order_id]
            blank = dict.fromkeys(("email", "contact_email", "phone", "billing_address", "shipping_address"))
            customer = order["customer"] | {"email": None, "phone": None, "first_name": None, "last_name": None}
            self.orders.put(order_id, order | blank | {"customer": customer, "updated_at": stamp(at)})


def count_order(customer: Row, order: Row) -> None:
    """Carry an order into its customer's counters."""
    spent = Decimal(customer["total_spent"])
    if order["cancelled_at"] is None and order["financial_status"] not in ("voided", "refunded"):
        spent += Decimal(order["total_price"])
    customer |= {
        "orders_count": customer["orders_count"] + 1, "total_spent": f"{spent:.2f}", "last_order_id": order["id"],
        "last_order_name": order["name"], "updated_at": max(customer["updated_at"], order["created_at"]),
        "currency": order["currency"],
    }  # fmt: skip


def order_row(order: Order, customer: Row, person: Person) -> Row:
    """An order as REST shows it."""
    created, number = stamp(order.created_at), int(order.order_id)
    changed = max(t for t in (order.created_at, order.cancelled_at) if t)
    address = None
    if order.country:
        payer = order.payer or (customer["first_name"], customer["last_name"])
        address = _address(order.country, order.region, person, valid_phone(customer["phone"]), payer)
    names = ("id", "email", "phone", "first_name", "last_name", "admin_graphql_api_id")
    short = {name: customer[name] for name in names}
    return {
        "id": number, "admin_graphql_api_id": gid("Order", number), "name": f"#{number % 100_000_000 + 1000}",
        "order_number": number % 100_000_000 + 1000, "email": customer["email"], "contact_email": customer["email"],
        "phone": customer["phone"], "created_at": created, "processed_at": stamp(order.processed_at),
        "updated_at": stamp(changed), "closed_at": None, "test": False, "confirmed": True, "source_name": "web",
        "cancelled_at": stamp(order.cancelled_at) if order.cancelled_at else None,
        "cancel_reason": "customer" if order.cancelled_at else None, "financial_status": order.status,
        "fulfillment_status": "fulfilled" if order.status == "paid" else None, "currency": order.currency,
        "presentment_currency": order.currency, "total_price": order.total, "current_total_price": order.total,
        "subtotal_price": order.total, "total_line_items_price": order.total, "total_tax": "0.00",
        "total_discounts": "0.00", "buyer_accepts_marketing": False, "customer": short, "billing_address": address,
        "shipping_address": address, "line_items": [_line(number, i, line) for i, line in enumerate(order.lines)],
        "note": None, "note_attributes": [], "tags": order.tags, "refunds": [], "fulfillments": [],
    }  # fmt: skip


def _line(number: int, position: int, line: Line) -> Row:
    return {
        "id": number * 10 + position, "sku": line.sku, "title": line.title, "name": line.title,
        "quantity": line.quantity,
        "price": line.price, "total_discount": "0.00", "requires_shipping": True, "taxable": True, "gift_card": False,
        "product_id": 8_000_000_000_000 + sum(line.sku.encode()),
        "variant_id": 4_000_000_000_000 + sum(line.sku.encode()),
        "vendor": "Acme", "fulfillment_status": None, "properties": [],
    }  # fmt: skip


def _customer(person: Person, record: Record) -> Row:
    created, number = stamp(record.created_at), int(record.record_id)
    first, last = record.names or (person.first, person.last)
    said = [s for s in person.statements if s.platform == "shopify" and s.identifier in record.own]
    address = _address(record.country, record.region, person, valid_phone(record.phone)) if record.country else None
    if address:
        address |= {"id": number + 1, "customer_id": number, "default": True}
    row: Row = {
        "id": number, "admin_graphql_api_id": gid("Customer", number), "email": record.email, "phone": record.phone,
        "first_name": first, "last_name": last, "created_at": created,
        "updated_at": stamp(max([record.created_at, *(s.heard_at or s.at for s in said)])),
        "state": "disabled", "note": None,
        "tags": "", "verified_email": True, "multipass_identifier": None, "tax_exempt": False, "tax_exemptions": [],
        "currency": "USD", "orders_count": 0, "total_spent": "0.00", "last_order_id": None, "last_order_name": None,
        "addresses": [address] if address else [], "default_address": address,
        "email_marketing_consent": _email_consent(record, [s for s in said if s.channel == "email"]),
        "sms_marketing_consent": _sms_consent(record, [s for s in said if s.channel == "sms"]),
    }  # fmt: skip
    if person.person.endswith(("0", "5")):
        row["tags"] = "VIP, newsletter-2025" if person.person.endswith("0") else "wholesale"
    row["tags"] = record.tags or row["tags"]
    return row | (_redacted(person.erased_at) if person.erased_at else {})


def _email_consent(record: Record, said: list[Statement]) -> Row | None:
    if record.email is None:
        return None
    if not said:
        return {"state": "not_subscribed", "opt_in_level": "single_opt_in", "consent_updated_at": None}
    last = max(said, key=lambda s: s.at)
    state, level = _EMAIL_STATES[last.state]
    level = "unknown" if last.imported else level
    return {"state": state, "opt_in_level": level, "consent_updated_at": stamp(last.at)}


def _sms_consent(record: Record, said: list[Statement]) -> Row | None:
    if valid_phone(record.phone) is None:
        return None
    consent = _email_consent(Record("shopify", "", "-", None, record.created_at), said) or {}
    return consent | {"consent_collected_from": "SHOPIFY" if said else "OTHER"}


def _redacted(at: datetime) -> Row:
    consent = {"state": "redacted", "opt_in_level": None, "consent_updated_at": stamp(at)}
    return {
        "email": None, "phone": None, "first_name": None, "last_name": None, "addresses": [], "default_address": None,
        "note": None, "tags": "", "email_marketing_consent": consent,
        "sms_marketing_consent": consent | {"consent_collected_from": "OTHER"}, "updated_at": stamp(at),
    }  # fmt: skip


def _address(
    country: str, region: str | None, person: Person, phone: str | None, names: tuple[str, str] | None = None
) -> Row:
    place = _PLACES.get((country, region or ""))
    name, city, postal = place[2:5] if place else (region, None, None)
    first, last = names or (person.first, person.last)
    return {
        "first_name": first, "last_name": last, "name": f"{first} {last}", "company": None,
        "address1": f"{int(person.person[1:]) % 900 + 1} Station Road", "address2": None, "city": city,
        "province": name, "province_code": region, "zip": postal, "country": data.COUNTRY_NAMES.get(country, country),
        "country_code": country, "country_name": data.COUNTRY_NAMES.get(country, country), "phone": phone,
    }  # fmt: skip


def _metafields(record: Record) -> list[Row]:
    known = (
        ("birth_date", "date", record.birth_date, 2),
        ("aevent_registrant_id", "single_line_text_field", record.registrant_id, 3),
    )
    return [_metafield(record, key, kind, value, offset) for key, kind, value, offset in known if value]


def _metafield(record: Record, key: str, kind: str, value: str, offset: int) -> Row:
    number, at = int(record.record_id), stamp(record.created_at)
    return {
        "id": number + offset, "namespace": "facts", "key": key, "type": kind, "value": value,
        "description": None, "owner_id": number, "owner_resource": "customer", "created_at": at, "updated_at": at,
        "admin_graphql_api_id": gid("Metafield", number + offset),
    }  # fmt: skip
