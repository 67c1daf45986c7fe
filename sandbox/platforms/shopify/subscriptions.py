"""Webhook subscriptions of one shop, made and listed by REST or GraphQL; those of an app's own file show in neither."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from graphql import GraphQLError

from sandbox.facts import utc_now
from sandbox.platforms.shopify.state import State, gid, stamp
from sandbox.store import Row

#: By the name that deliveries carry; the compliance topics cannot be subscribed by API.
TOPICS = frozenset(
    {
        "customers/create", "customers/update", "customers/delete", "customers/disable", "customers/enable",
        "customers/merge", "customers/purchasing_summary", "customers_email_marketing_consent/update",
        "customers_marketing_consent/update", "customer.tags_added", "customer.tags_removed", "orders/create",
        "orders/updated", "orders/paid", "orders/cancelled", "refunds/create", "app/uninstalled",
    }
)  # fmt: skip
_FIRST_ID = 1_100_000_000_001
_LARGEST_PAGE = 250


def enum(topic: str) -> str:
    """A topic as GraphQL spells it."""
    return topic.replace("/", "_").replace(".", "_").upper()


_BY_ENUM = {enum(topic): topic for topic in TOPICS}


class WrongSubscriptionError(Exception):
    """A subscription that the shop does not take: the field at fault and why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


def subscribe(state: State, topic: str, address: str) -> Row:
    """Keep a subscription, each pair of topic and address once; plain http is taken for loopback addresses only."""
    if not address.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise WrongSubscriptionError("address", "protocol http:// is not supported")
    rows = state.webhooks.rows
    if any((row["topic"], row["address"]) == (topic, address) for row in rows.values()):
        raise WrongSubscriptionError("address", "for this topic has already been taken")
    number, at = max(map(int, rows), default=_FIRST_ID - 1) + 1, stamp(utc_now())
    row = {
        "id": number, "topic": topic, "address": address, "format": "json", "created_at": at, "updated_at": at,
        "fields": [], "metafield_namespaces": [], "private_metafield_namespaces": [], "api_version": "2026-10",
        "admin_graphql_api_id": gid("WebhookSubscription", number),
    }  # fmt: skip
    state.webhooks.put(str(number), row)
    return row


class Subscriptions:
    """The GraphQL fields about subscriptions, over one state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def fields(self) -> Row:
        """The root values by field name."""
        return {
            "webhookSubscription": self.one, "webhookSubscriptions": self.page,
            "webhookSubscriptionCreate": self.create, "webhookSubscriptionDelete": self.delete,
        }  # fmt: skip

    def one(self, info: Any, id: str) -> Row | None:
        """One subscription by id."""
        row = self._row(id)
        return _shown(row) if row else None

    def page(self, info: Any, **given: Any) -> Row:
        """A page of subscriptions, forwards; perhaps only those of some topics or of one address."""
        first, after = given.get("first"), given.get("after")
        if first is None or not 0 < first <= _LARGEST_PAGE:
            raise GraphQLError(f"first must be between 1 and {_LARGEST_PAGE}")
        topics, uri = given.get("topics"), given.get("uri") or given.get("callbackUrl")
        rows = [
            row
            for row in sorted(self.state.webhooks.rows.values(), key=lambda row: int(row["id"]))
            if (not topics or enum(row["topic"]) in topics) and (not uri or row["address"] == uri)
        ]
        rest = [row for row in rows if after is None or str(row["id"]) > after]
        found = rest[:first]
        edges = [{"cursor": str(row["id"]), "node": _shown(row)} for row in found]
        info_ = {
            "hasNextPage": len(rest) > first, "hasPreviousPage": after is not None,
            "startCursor": edges[0]["cursor"] if edges else None, "endCursor": edges[-1]["cursor"] if edges else None,
        }  # fmt: skip
        return {"edges": edges, "nodes": [edge["node"] for edge in edges], "pageInfo": info_}

    def create(self, info: Any, **given: Any) -> Row:
        """Subscribe an address to a topic; what is wrong comes back as a user error."""
        wanted = given["webhookSubscription"]
        try:
            row = subscribe(self.state, _BY_ENUM[given["topic"]], wanted.get("uri") or wanted.get("callbackUrl") or "")
        except WrongSubscriptionError as wrong:
            problem = {"field": ["webhookSubscription", "callbackUrl"], "message": f"Address {wrong.message}"}
            return {"webhookSubscription": None, "userErrors": [problem]}
        return {"webhookSubscription": _shown(row), "userErrors": []}

    def delete(self, info: Any, id: str) -> Row:
        """Delete a subscription."""
        row = self._row(id)
        if row is None:
            problem = {"field": ["id"], "message": "Webhook subscription does not exist"}
            return {"deletedWebhookSubscriptionId": None, "userErrors": [problem]}
        self.state.webhooks.drop(str(row["id"]))
        return {"deletedWebhookSubscriptionId": id, "userErrors": []}

    def _row(self, node_id: str) -> Row | None:
        kind, _, row_id = node_id.removeprefix("gid://shopify/").partition("/")
        return self.state.webhooks.rows.get(row_id) if kind == "WebhookSubscription" else None


def _shown(row: Row) -> Row:
    return {
        "__typename": "WebhookSubscription", "id": row["admin_graphql_api_id"], "legacyResourceId": str(row["id"]),
        "topic": enum(row["topic"]), "uri": row["address"], "callbackUrl": row["address"], "format": "JSON",
        "endpoint": {"__typename": "WebhookHttpEndpoint", "callbackUrl": row["address"]}, "filter": None, "name": None,
        "apiVersion": {"handle": row["api_version"], "displayName": row["api_version"], "supported": True},
        "includeFields": row["fields"], "metafieldNamespaces": row["metafield_namespaces"],
        "createdAt": _utc(row["created_at"]), "updatedAt": _utc(row["updated_at"]),
    }  # fmt: skip


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
