"""HubSpot's webhooks: the paths that manage an app's subscriptions, and how a batch of events is signed and sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from datetime import UTC, datetime

import orjson
from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import utc_now
from sandbox.platforms.hubspot.manners import batched, body_of, inputs_of, invalid, millis, not_found, stamp, ways
from sandbox.platforms.hubspot.state import PORTAL_ID, State
from sandbox.standin import Way, Webhook, json_response
from sandbox.store import Row

APP_ID = 1160452
LARGEST_BATCH = 99
MOST_SUBSCRIPTIONS = 1000
TOPICS = frozenset({
    "contact.creation", "contact.deletion", "contact.merge", "contact.privacyDeletion", "contact.propertyChange",
    "contact.restore", "contact.associationChange", "object.creation", "object.deletion", "object.propertyChange",
})  # fmt: skip


def sign(secret: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    """The X-HubSpot-Signature-v3: base64 HMAC-SHA256 over method, URL, raw body and timestamp, put end to end."""
    text = method.encode() + url.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()


class Webhooks:
    """Subscriptions and deliveries, over one state."""

    def __init__(self, state: State, secret: str) -> None:
        self.state, self.secret = state, secret
        self.subscriptions = state.standin.table("subscriptions")
        self.app = state.standin.table("app")

    def ways(self) -> list[Way]:
        """The paths; they belong to the app's developer, not to the account."""
        return [
            *ways(
                "webhooks", "/{app}/settings", GET=self.settings, PUT=self.change_settings, DELETE=self.delete_settings
            ),
            *ways("webhooks", "/{app}/subscriptions/batch/update", POST=self.change_many),
            *ways("webhooks", "/{app}/subscriptions/{id}", GET=self.one, PATCH=self.change, DELETE=self.delete),
            *ways("webhooks", "/{app}/subscriptions", GET=self.every, POST=self.create),
        ]

    def settings(self, call: Call) -> Response:
        """GET settings: 404 until there is a target."""
        _own_app(call)
        return json_response(self._settings())

    def change_settings(self, call: Call) -> Response:
        """PUT settings: where to send, and how many at once; plain http is taken for loopback addresses only."""
        _own_app(call)
        body = body_of(call)
        url, most = str(body.get("targetUrl") or ""), (body.get("throttling") or {}).get("maxConcurrentRequests")
        if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise invalid("targetUrl must use https")
        if not isinstance(most, int) or most < 1:
            raise invalid("throttling.maxConcurrentRequests must be a positive number")
        at = stamp(utc_now())
        born = self.app.rows.get("settings", {}).get("createdAt", at)
        throttling = {"maxConcurrentRequests": most}
        row = {"targetUrl": url, "throttling": throttling, "createdAt": born, "updatedAt": at}
        self.app.put("settings", row)
        return json_response(row)

    def delete_settings(self, call: Call) -> Response:
        """DELETE settings: deliveries end, subscriptions stay."""
        _own_app(call)
        self.app.drop("settings")
        return Response(status_code=204)

    def every(self, call: Call) -> Response:
        """GET subscriptions: all of them."""
        _own_app(call)
        return json_response({"results": [{"id": i, **row} for i, row in self.subscriptions.rows.items()]})

    def one(self, call: Call) -> Response:
        """GET subscriptions/{id}."""
        row_id = self._known(call)
        return json_response({"id": row_id, **self.subscriptions.rows[row_id]})

    def create(self, call: Call) -> Response:
        """POST subscriptions: inactive unless told; one for each topic and property."""
        _own_app(call)
        body = body_of(call)
        topic, name = body.get("eventType"), body.get("propertyName") or None
        if topic not in TOPICS:
            raise invalid(f"Invalid eventType: {topic}")
        if (topic == "contact.propertyChange") is not bool(name):
            raise invalid("propertyName is required for propertyChange and only for it")
        if any((r["eventType"], r.get("propertyName")) == (topic, name) for r in self.subscriptions.rows.values()):
            raise invalid("A subscription for this event and property already exists")
        if len(self.subscriptions.rows) >= MOST_SUBSCRIPTIONS:
            raise invalid(f"An app may have at most {MOST_SUBSCRIPTIONS} subscriptions")
        row_id, at = str(max(map(int, self.subscriptions.rows), default=24) + 1), stamp(utc_now())
        row = {"eventType": topic, "active": bool(body.get("active", False)), "createdAt": at, "updatedAt": at}
        row |= {"propertyName": name} if name else {}
        self.subscriptions.put(row_id, row)
        return json_response({"id": row_id, **row}, 201)

    def change(self, call: Call) -> Response:
        """PATCH subscriptions/{id}: on or off, nothing else."""
        row_id = self._known(call)
        return json_response(self._switched(row_id, body_of(call).get("active")))

    def change_many(self, call: Call) -> Response:
        """POST subscriptions/batch/update."""
        _own_app(call)
        started, inputs = datetime.now(UTC), inputs_of(call)
        if any(str(item.get("id")) not in self.subscriptions.rows for item in inputs):
            raise not_found("Unknown subscription")
        return batched(call, [self._switched(str(item["id"]), item.get("active")) for item in inputs], [], started)

    def delete(self, call: Call) -> Response:
        """DELETE subscriptions/{id}."""
        self.subscriptions.drop(self._known(call))
        return Response(status_code=204)

    def event(self, topic: str, contact: str, at: datetime, **more: object) -> Row:
        """One event of a delivery."""
        wanted = (topic, more.get("propertyName"))
        rows = self.subscriptions.rows.items()
        known = next((int(i) for i, r in rows if (r["eventType"], r.get("propertyName")) == wanted), 7)
        return {
            "eventId": uuid.uuid4().int % 4_000_000_000, "subscriptionId": known, "portalId": PORTAL_ID,
            "appId": APP_ID, "occurredAt": millis(at), "subscriptionType": topic, "attemptNumber": 0,
            "objectId": int(contact), "changeSource": "CRM_UI", **more,
        }  # fmt: skip

    def delivery(self, events: list[Row]) -> Webhook:
        """Events as one request, signed for whatever address it is sent to; fewer than a hundred."""
        if len(events) > LARGEST_BATCH:
            raise ValueError(f"HubSpot sends at most {LARGEST_BATCH} events at once, not {len(events)}")
        headers = {"Content-Type": "application/json", "User-Agent": "HubSpot Connect 2.0 (http://dev.hubspot.com/)"}

        def again(number: int) -> bytes:
            return orjson.dumps([event | {"attemptNumber": number} for event in events])

        def signed(url: str, sent: bytes) -> dict[str, str]:
            timestamp = str(millis(datetime.now(UTC)))
            return {
                "X-HubSpot-Signature": hashlib.sha256(self.secret.encode() + sent).hexdigest(),
                "X-HubSpot-Signature-Version": "v1",
                "X-HubSpot-Signature-v3": sign(self.secret, "POST", url, sent, timestamp),
                "X-HubSpot-Request-Timestamp": timestamp,
            }

        subscribed = {(r["eventType"], r.get("propertyName")) for r in self.subscriptions.rows.values() if r["active"]}
        wanted = any((event["subscriptionType"], event.get("propertyName")) in subscribed for event in events)
        targets = [self.app.rows["settings"]["targetUrl"]] if wanted and "settings" in self.app.rows else []
        topic, delivery_id = events[0]["subscriptionType"], str(events[0]["eventId"])
        return Webhook(topic, again(0), headers, delivery_id, signed, targets, again=again)

    def _switched(self, row_id: str, active: object) -> Row:
        row: Row = self.subscriptions.rows[row_id] | {"updatedAt": stamp(utc_now())}
        if isinstance(active, bool):
            row["active"] = active
        self.subscriptions.put(row_id, row)
        return {"id": row_id, **row}

    def _settings(self) -> Row:
        if "settings" not in self.app.rows:
            raise not_found("The app has no webhook settings")
        return self.app.rows["settings"]

    def _known(self, call: Call) -> str:
        _own_app(call)
        if call.path_params["id"] not in self.subscriptions.rows:
            raise not_found("Unknown subscription")
        return call.path_params["id"]


def _own_app(call: Call) -> None:
    if call.path_params["app"] != str(APP_ID):
        raise not_found("Unknown app")
