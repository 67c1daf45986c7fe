"""Klaviyo's resources as the API shows them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sandbox.calls import Call
from sandbox.platforms.klaviyo.state import State
from sandbox.store import Row

_INTERNAL = frozenset({"payload", "ready", "kind", "errors", "done"})


def root(call: Call) -> str:
    """Scheme and host as the client addressed them."""
    return f"http://{call.headers.get('host', 'a.klaviyo.com')}"


def profile(call: Call, state: State, row_id: str) -> Row:
    """One profile; consent only with `additional-fields[profile]=subscriptions`."""
    row = state.profiles.rows[row_id]
    wanted = call.query.get("additional-fields[profile]", "")
    attributes = {name: value for name, value in row.items() if name != "subscriptions"}
    if "subscriptions" in wanted:
        email, sms = row["subscriptions"]["email"], row["subscriptions"]["sms"]
        transactional = {
            "can_receive_sms_transactional": sms["can_receive_sms_marketing"], "consent": sms["consent"],
            "consent_timestamp": sms["consent_timestamp"], "method": sms["method"], "method_detail": "",
            "last_updated": sms["last_updated"],
        }  # fmt: skip
        attributes["subscriptions"] = {
            "email": {"marketing": email},
            "sms": {"marketing": sms, "transactional": transactional},
            "mobile_push": {"marketing": {"can_receive_push_marketing": False, "consent": "NEVER_SUBSCRIBED"}},
        }
    if "fields[profile]" in call.query:
        names = call.query["fields[profile]"].split(",")
        attributes = {name: value for name, value in attributes.items() if name in names}
    me = f"{root(call)}/api/profiles/{row_id}"
    related = {
        name: {"links": {"self": f"{me}/relationships/{name}/", "related": f"{me}/{name}/"}}
        for name in ("lists", "segments", "push-tokens", "conversation")
    }
    return _resource("profile", row_id, attributes, me, related)


def event(call: Call | None, state: State, row_id: str) -> Row:
    """One event; without a call (in a webhook) the links name Klaviyo's own host."""
    row = state.events.rows[row_id]
    moment = datetime.fromisoformat(row["datetime"])
    attributes = {
        "timestamp": int(moment.timestamp()),
        "event_properties": row["properties"] | {"$event_id": row_id},
        "datetime": row["datetime"],
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, row_id)),
    }
    me = f"{root(call) if call else 'https://a.klaviyo.com'}/api/events/{row_id}"
    related: Row = {
        name: {
            "data": {"type": name, "id": row[name]},
            "links": {"self": f"{me}/relationships/{name}/", "related": f"{me}/{name}/"},
        }
        for name in ("profile", "metric")
    }
    return _resource("event", row_id, attributes, me, related)


def metric(call: Call, state: State, row_id: str) -> Row:
    """One metric."""
    row = state.metrics.rows[row_id]
    integration = {"object": "integration", "id": "7FtS4J", "key": "api", "name": "API", "category": "API"}
    attributes = {"name": row["name"], "created": row["created"], "updated": row["created"], "integration": integration}
    return _resource("metric", row_id, attributes, f"{root(call)}/api/metrics/{row_id}", {})


def contact_list(call: Call, state: State, row_id: str) -> Row:
    """One list."""
    row = state.lists.rows[row_id]
    attributes = {**row, "opt_in_process": "single_opt_in"}
    me = f"{root(call)}/api/lists/{row_id}"
    related = {
        name: {"links": {"self": f"{me}/relationships/{name}/", "related": f"{me}/{name}/"}}
        for name in ("profiles", "tags", "flow-triggers")
    }
    return _resource("list", row_id, attributes, me, related)


def job(call: Call, kind: str, row_id: str, row: Row) -> Row:
    """One bulk job without the payload it carries."""
    attributes = {name: value for name, value in row.items() if name not in _INTERNAL}
    me = f"{root(call)}/api/{kind}s/{row_id}"
    related: Row = {}
    if kind == "profile-bulk-import-job":
        listed = [{"type": "list", "id": list_id} for list_id in row["payload"]["lists"]]
        related = {
            "lists": {"data": listed, "links": {"self": f"{me}/relationships/lists/", "related": f"{me}/lists/"}},
            "profiles": {"links": {"self": f"{me}/relationships/profiles/", "related": f"{me}/profiles/"}},
            "import-errors": {"links": {"related": f"{me}/import-errors/"}},
        }
    return _resource(kind, row_id, attributes, me, related)


def _resource(kind: str, row_id: str, attributes: dict[str, Any], me: str, related: Row) -> Row:
    resource: Row = {"type": kind, "id": row_id, "attributes": attributes, "links": {"self": f"{me}/"}}
    if related:
        resource["relationships"] = related
    return resource
