"""What the GraphQL fields answer, over the same rows as REST."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError

from sandbox.calls import Call
from sandbox.facts import utc_now
from sandbox.platforms.shopify.search import compile_search
from sandbox.platforms.shopify.state import State, gid, split_tags
from sandbox.platforms.shopify.subscriptions import Subscriptions
from sandbox.store import Row

_CONSENT_WRITES = ("SUBSCRIBED", "UNSUBSCRIBED", "PENDING")
_LARGEST_PAGE = 250


class Root:
    """The fields of Query and Mutation, for one call."""

    def __init__(self, state: State, shop: Row, call: Call) -> None:
        self._state, self._shop, self._call = state, shop, call

    def fields(self) -> Row:
        """The root value: graphql-core calls these functions by field name."""
        return {
            "shop": self.shop, "customer": self.customer, "node": self.customer, "nodes": self.nodes,
            "customersCount": self.count, "customers": self.customers, "tagsAdd": self.add_tags,
            "tagsRemove": self.remove_tags, "customerEmailMarketingConsentUpdate": self.consent_to_email,
            "customerSmsMarketingConsentUpdate": self.consent_to_sms, "customerRequestDataErasure": self.erase,
            **Subscriptions(self._state).fields(),
        }  # fmt: skip

    def shop(self, info: Any) -> Row:
        """The shop."""
        return {
            "id": gid("Shop", self._shop["id"]), "name": self._shop["name"], "email": self._shop["email"],
            "myshopifyDomain": self._shop["myshopify_domain"], "currencyCode": self._shop["currency"],
            "ianaTimezone": self._shop["iana_timezone"],
        }  # fmt: skip

    def customer(self, info: Any, id: str) -> Row | None:
        """One customer by id; as a node too, since the stand-in knows no other nodes."""
        row = self._row(id)
        return customer(self._state, row) if row else None

    def nodes(self, info: Any, ids: list[str]) -> list[Row | None]:
        """Several nodes, null for the unknown."""
        return [self.customer(info, node_id) for node_id in ids]

    def count(self, info: Any, query: str | None = None, limit: int | None = None) -> Row:
        """How many customers match."""
        matches = compile_search(query)
        return {"count": sum(map(matches, self._state.customers.rows.values())), "precision": "EXACT"}

    def customers(self, info: Any, **given: Any) -> Row:
        """A page of customers, forwards or backwards."""
        first, last = given.get("first"), given.get("last")
        if (first is None) == (last is None):
            raise GraphQLError("you must provide one of first or last")
        size = int(first if first is not None else last or 0)
        if not 0 < size <= _LARGEST_PAGE:
            raise GraphQLError(f"first and last must be between 1 and {_LARGEST_PAGE}")
        index = self._state.customers.indexes["updated_at" if given["sortKey"] == "UPDATED_AT" else "id"]
        matches, rows = compile_search(given.get("query")), self._state.customers.rows
        cursor = given.get("after") or given.get("before")
        found: list[str] = []
        more = False
        for row_id in index.scan(
            _decode(cursor) if cursor else None, descending=given["reverse"] != (last is not None)
        ):
            if matches(rows[row_id]):
                if len(found) == size:
                    more = True
                    break
                found.append(row_id)
        if last is not None:
            found.reverse()
        edges = [{"cursor": _encode(index.position(i)), "node": customer(self._state, rows[i])} for i in found]
        return {
            "edges": edges,
            "nodes": [edge["node"] for edge in edges],
            "pageInfo": {
                "hasNextPage": more if last is None else cursor is not None,
                "hasPreviousPage": more if last is not None else cursor is not None,
                "startCursor": edges[0]["cursor"] if edges else None,
                "endCursor": edges[-1]["cursor"] if edges else None,
            },
        }

    def add_tags(self, info: Any, id: str, tags: list[str]) -> Row:
        """Add tags, keeping the others."""
        row = self._row(id)
        if row is None or self._refused(row):
            return _wrong("id", "Customer does not exist" if row is None else "Customer is invalid")
        known = split_tags(row["tags"])
        new = [tag for tag in split_tags(", ".join(tags)) if tag.lower() not in {old.lower() for old in known}]
        if new:
            row = self._state.change(str(row["id"]), utc_now(), tags=", ".join(split_tags(", ".join([*known, *new]))))
        return {"node": customer(self._state, row), "userErrors": []}

    def remove_tags(self, info: Any, id: str, tags: list[str]) -> Row:
        """Remove tags, keeping the others; absent ones are no error."""
        row = self._row(id)
        if row is None or self._refused(row):
            return _wrong("id", "Customer does not exist" if row is None else "Customer is invalid")
        gone, known = {tag.strip().lower() for tag in tags}, split_tags(row["tags"])
        kept = [tag for tag in known if tag.lower() not in gone]
        if kept != known:
            row = self._state.change(str(row["id"]), utc_now(), tags=", ".join(kept))
        return {"node": customer(self._state, row), "userErrors": []}

    def consent_to_email(self, info: Any, input: Row) -> Row:
        """Set e-mail consent."""
        return self._consent("email", input["customerId"], input["emailMarketingConsent"])

    def consent_to_sms(self, info: Any, input: Row) -> Row:
        """Set text consent."""
        return self._consent("sms", input["customerId"], input["smsMarketingConsent"])

    def erase(self, info: Any, **given: Any) -> Row:
        """Take an erasure request; the stand-in carries it out at once."""
        row = self._row(given["customerId"])
        if row is None:
            problem = _error("customerId", "Customer does not exist", "DOES_NOT_EXIST")
            return {"customerId": None, "userErrors": [problem]}
        self._state.erase(str(row["id"]), utc_now())
        return {"customerId": given["customerId"], "userErrors": []}

    def _consent(self, channel: str, customer_id: str, wanted: Row) -> Row:
        row, field, state = self._row(customer_id), f"{channel}MarketingConsent", wanted["marketingState"]
        problem = None
        if row is None:
            problem = _error("customerId", "Customer not found", "INVALID")
        elif not row["email" if channel == "email" else "phone"]:
            problem = _error(field, f"Customer must have {channel} to change consent", "INVALID")
        elif state not in _CONSENT_WRITES or self._refused(row):
            problem = _error(field, f"Cannot specify {state} as a marketing state input", "INVALID")
        if problem or row is None:
            return {"customer": None, "userErrors": [problem]}
        if state != "UNSUBSCRIBED":
            self._call.notes.append("grant")
        level, at = wanted.get("marketingOptInLevel"), utc_now()
        if wanted.get("consentUpdatedAt"):
            at = datetime.fromisoformat(wanted["consentUpdatedAt"].replace("Z", "+00:00"))
        new = self._state.consent(str(row["id"]), channel, state.lower(), level.lower() if level else None, at)
        return {"customer": customer(self._state, new), "userErrors": []}

    def _row(self, node_id: str) -> Row | None:
        kind, _, row_id = node_id.removeprefix("gid://shopify/").partition("/")
        return self._state.customers.rows.get(row_id) if kind == "Customer" else None

    def _refused(self, row: Row) -> bool:
        return self._state.standin.faults.rejects(str(row["id"]), row["admin_graphql_api_id"])


def customer(state: State, row: Row) -> Row:
    """A customer as GraphQL shows it; fields that cost work are functions."""
    names = " ".join(name for name in (row["first_name"], row["last_name"]) if name)
    address = _address(row["default_address"])

    def metafields(info: Any, namespace: str | None = None, keys: list[str] | None = None, **page: Any) -> Row:
        found = [field for field in _metafields(state, row) if field["namespace"] == (namespace or field["namespace"])]
        found = [f for f in found if not keys or f["key"] in keys or f"{f['namespace']}.{f['key']}" in keys]
        return _connection(found)

    def metafield(info: Any, key: str, namespace: str | None = None) -> Row | None:
        wanted = (namespace or "custom", key)
        return next((f for f in _metafields(state, row) if (f["namespace"], f["key"]) == wanted), None)

    return {
        "__typename": "Customer", "id": row["admin_graphql_api_id"], "legacyResourceId": str(row["id"]),
        "firstName": row["first_name"], "lastName": row["last_name"], "email": row["email"], "phone": row["phone"],
        "displayName": names or row["email"] or "", "createdAt": _utc(row["created_at"]), "note": row["note"],
        "updatedAt": _utc(row["updated_at"]), "state": row["state"].upper(), "tags": split_tags(row["tags"]),
        "taxExempt": row["tax_exempt"], "verifiedEmail": row["verified_email"],
        "numberOfOrders": str(row["orders_count"]),
        "amountSpent": {"amount": row["total_spent"], "currencyCode": row["currency"]}, "defaultAddress": address,
        "addressesV2": lambda info, first=None: _connection([address] if address else []),
        "defaultEmailAddress": _reachable("emailAddress", row["email"], row["email_marketing_consent"]),
        "defaultPhoneNumber": _reachable("phoneNumber", row["phone"], row["sms_marketing_consent"]),
        "metafield": metafield, "metafields": metafields,
    }  # fmt: skip


def _reachable(name: str, value: str | None, consent: Row | None) -> Row | None:
    if not value or not consent:
        return None
    level, at = consent["opt_in_level"], consent["consent_updated_at"]
    return {
        name: value, "marketingState": consent["state"].upper(),
        "marketingOptInLevel": level.upper() if level else None,
        "marketingUpdatedAt": _utc(at) if at else None, "marketingCollectedFrom": consent.get("consent_collected_from"),
    }  # fmt: skip


def _metafields(state: State, row: Row) -> list[Row]:
    fields = state.metafields.rows.get(str(row["id"]), {"fields": []})["fields"]
    return [
        {
            "__typename": "Metafield", "id": field["admin_graphql_api_id"], "namespace": field["namespace"],
            "key": field["key"], "value": field["value"], "type": field["type"],
            "createdAt": _utc(field["created_at"]), "updatedAt": _utc(field["updated_at"]),
        }
        for field in fields
    ]  # fmt: skip


def _address(row: Row | None) -> Row | None:
    if row is None:
        return None
    renamed = {"firstName": "first_name", "lastName": "last_name"}
    renamed |= {"provinceCode": "province_code", "countryCodeV2": "country_code"}
    same = ("address1", "address2", "city", "company", "country", "phone", "province", "zip")
    return {name: row[name] for name in same} | {new: row[old] for new, old in renamed.items()}


def _connection(rows: list[Row]) -> Row:
    edges = [{"cursor": str(number), "node": row} for number, row in enumerate(rows)]
    page = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    return {"edges": edges, "nodes": rows, "pageInfo": page}


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _wrong(field: str, message: str) -> Row:
    return {"node": None, "userErrors": [{"field": [field], "message": message}]}


def _error(field: str, message: str, code: str) -> Row:
    return {"field": ["input", field], "message": message, "code": code}


def _encode(position: tuple[str, str]) -> str:
    return base64.b64encode(" ".join(position).encode()).decode()


def _decode(cursor: str) -> tuple[str, str]:
    try:
        key, row_id = base64.b64decode(cursor).decode().split(" ")
        return key, row_id
    except (binascii.Error, ValueError):
        raise GraphQLError("Invalid cursor for current pagination sort.") from None
