"""Shopify's REST paths: customers, orders, webhooks, shop and scopes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import utc_now, valid_email, valid_phone
from sandbox.platforms.shopify.paging import conditions, limit_of, page, refusal
from sandbox.platforms.shopify.search import compile_search
from sandbox.platforms.shopify.state import State, split_tags
from sandbox.platforms.shopify.subscriptions import TOPICS, WrongSubscriptionError, subscribe
from sandbox.standin import RefusalError, Way, json_response
from sandbox.store import Row

BASE = "/admin/api/{version}"
SCOPES = ("read_customers", "write_customers", "read_orders", "read_all_orders", "read_webhooks")
_OPEN: dict[str, Callable[[Row], bool]] = {
    "any": lambda row: True,
    "open": lambda row: row["cancelled_at"] is None and row["closed_at"] is None,
    "closed": lambda row: row["closed_at"] is not None,
    "cancelled": lambda row: row["cancelled_at"] is not None,
}


class Rest:
    """The handlers, over one state."""

    def __init__(self, state: State, shop: Row) -> None:
        self.state, self.shop = state, shop

    def ways(self) -> list[Way]:
        """The paths."""
        one = BASE + "/customers/{id:int}"
        return [
            Way(BASE + "/customers.json", GET=self.customers),
            Way(BASE + "/customers/count.json", GET=self.count),
            Way(BASE + "/customers/search.json", GET=self.search),
            Way(one + ".json", GET=self.customer, PUT=self.change_customer, DELETE=self.delete_customer),
            Way(one + "/metafields.json", GET=self.metafields),
            Way(one + "/orders.json", GET=self.orders_of_customer),
            Way(BASE + "/orders.json", GET=self.orders),
            Way(BASE + "/orders/{id:int}.json", GET=self.order),
            Way(BASE + "/webhooks.json", GET=self.webhooks, POST=self.create_webhook),
            Way(BASE + "/webhooks/{id:int}.json", GET=self.webhook, DELETE=self.delete_webhook),
            Way(BASE + "/shop.json", GET=lambda call: json_response({"shop": self.shop})),
            Way("/admin/oauth/access_scopes.json", GET=_scopes),
        ]

    def customers(self, call: Call) -> Response:
        """GET customers.json, by id."""
        return page(call, self.state.customers, "id", "customers", lambda query: lambda row: True)

    def count(self, call: Call) -> Response:
        """GET customers/count.json."""
        passes = conditions(call.query)
        return json_response({"count": sum(passes(i, row) for i, row in self.state.customers.rows.items())})

    def search(self, call: Call) -> Response:
        """GET customers/search.json."""
        matches = compile_search(call.query.get("query"))
        found = itertools.islice((row for row in self.state.customers.rows.values() if matches(row)), limit_of(call))
        return json_response({"customers": list(found)})

    def customer(self, call: Call) -> Response:
        """GET customers/{id}.json."""
        return json_response({"customer": self.state.customers.rows[self._known(call)]})

    def change_customer(self, call: Call) -> Response:
        """PUT customers/{id}.json: fields that are given are replaced, tags as a whole."""
        row_id, given = self._known(call), _object(call, "customer")
        if self.state.standin.faults.rejects(row_id):
            raise refusal(422, {"base": ["is invalid"]})
        fields: Row = {key: given[key] for key in ("first_name", "last_name", "note", "tax_exempt") if key in given}
        if "tags" in given:
            tags = given["tags"]
            fields["tags"] = ", ".join(split_tags(", ".join(tags) if isinstance(tags, list) else str(tags)))
        fields |= self._new_identifiers(row_id, given)
        self.state.change(row_id, utc_now(), **fields)
        for channel in ("email", "sms"):
            consent = given.get(f"{channel}_marketing_consent")
            if consent:
                if consent.get("state") not in ("subscribed", "unsubscribed", "pending"):
                    raise refusal(422, {f"{channel}_marketing_consent": ["state is invalid"]})
                if consent["state"] != "unsubscribed":
                    call.notes.append("grant")
                self.state.consent(row_id, channel, consent["state"], consent.get("opt_in_level"), utc_now())
        return json_response({"customer": self.state.customers.rows[row_id]})

    def delete_customer(self, call: Call) -> Response:
        """DELETE customers/{id}.json: 422 when there are orders."""
        row_id = self._known(call)
        if self.state.orders_of.get(row_id):
            raise refusal(422, {"base": ["Customer can't be deleted because they have associated orders"]})
        self.state.customers.drop(row_id)
        self.state.metafields.drop(row_id)
        return json_response({})

    def metafields(self, call: Call) -> Response:
        """GET customers/{id}/metafields.json."""
        fields = self.state.metafields.rows.get(self._known(call), {"fields": []})["fields"]
        wanted = [field for field in fields if field["namespace"] == call.query.get("namespace", field["namespace"])]
        return json_response({"metafields": wanted})

    def orders(self, call: Call) -> Response:
        """GET orders.json, newest first; only open ones unless `status` says otherwise."""
        return page(call, self.state.orders, "created_at", "orders", _kept_orders, descending=True)

    def orders_of_customer(self, call: Call) -> Response:
        """GET customers/{id}/orders.json."""
        orders = [self.state.orders.rows[order] for order in self.state.orders_of.get(self._known(call), [])]
        is_open = _OPEN.get(call.query.get("status", "open"), _OPEN["open"])
        return json_response({"orders": [order for order in orders if is_open(order)]})

    def order(self, call: Call) -> Response:
        """GET orders/{id}.json."""
        row = self.state.orders.rows.get(call.path_params["id"])
        if row is None:
            raise refusal(404, "Not Found")
        return json_response({"order": row})

    def webhooks(self, call: Call) -> Response:
        """GET webhooks.json."""
        return json_response({"webhooks": list(self.state.webhooks.rows.values())})

    def webhook(self, call: Call) -> Response:
        """GET webhooks/{id}.json."""
        return json_response({"webhook": self._known_webhook(call)})

    def create_webhook(self, call: Call) -> Response:
        """POST webhooks.json: 422 for an unknown topic or a repeated pair of topic and address."""
        given = _object(call, "webhook")
        topic, address = given.get("topic"), str(given.get("address", ""))
        if topic not in TOPICS:
            raise refusal(422, {"topic": ["Invalid topic specified. Topics allowed: " + ", ".join(sorted(TOPICS))]})
        try:
            row = subscribe(self.state, str(topic), address)
        except WrongSubscriptionError as wrong:
            raise refusal(422, {wrong.field: [wrong.message]}) from None
        return json_response({"webhook": row}, 201)

    def delete_webhook(self, call: Call) -> Response:
        """DELETE webhooks/{id}.json."""
        self.state.webhooks.drop(str(self._known_webhook(call)["id"]))
        return json_response({})

    def _known_webhook(self, call: Call) -> Row:
        row = self.state.webhooks.rows.get(call.path_params["id"])
        if row is None:
            raise refusal(404, "Not Found")
        return row

    def _known(self, call: Call) -> str:
        if call.path_params["id"] not in self.state.customers.rows:
            raise refusal(404, "Not Found")
        return call.path_params["id"]

    def _new_identifiers(self, row_id: str, given: Row) -> Row:
        fields: Row = {}
        for name, valid in (("email", valid_email), ("phone", valid_phone)):
            if name not in given:
                continue
            key = valid(given[name])
            if given[name] and key is None:
                raise refusal(422, {name: ["is invalid"]})
            if key and self.state.customers.find(name, key) not in (None, row_id):
                raise refusal(422, {name: ["has already been taken"]})
            fields[name] = key
        return fields


def _kept_orders(query: dict[str, str]) -> Callable[[Row], bool]:
    is_open = _OPEN.get(query.get("status", "open"))
    if is_open is None:
        raise refusal(400, {"status": ["is not included in the list"]})
    status, customer = query.get("financial_status", "any"), query.get("customer_id")

    def keep(row: Row) -> bool:
        paid = status == "any" or row["financial_status"] == status
        return is_open(row) and paid and (customer is None or str(row["customer"]["id"]) == customer)

    return keep


def _object(call: Call, name: str) -> Row:
    try:
        given: Any = call.json[name]
    except (ValueError, KeyError, TypeError):
        given = None
    if not isinstance(given, dict):
        raise RefusalError(json_response({"errors": {name: "Required parameter missing or invalid"}}, 400))
    return given


def _scopes(call: Call) -> Response:
    return json_response({"access_scopes": [{"handle": scope} for scope in SCOPES]})
