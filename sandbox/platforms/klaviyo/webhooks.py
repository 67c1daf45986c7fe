"""Klaviyo's webhooks: the paths that manage them, how a delivery is signed, and the acts that cause one."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import Person, utc_now, valid_email
from sandbox.platforms.klaviyo import render
from sandbox.platforms.klaviyo.jsonapi import body_data, document, failure, invalid, not_found, stamp
from sandbox.platforms.klaviyo.state import METRICS, State, suppress, unsubscribe_email
from sandbox.standin import Act, Handler, Way, Webhook
from sandbox.store import Row

ACCOUNT_ID = "SbXk01"
TOPICS = {
    "unsubscribed": "event:klaviyo.unsubscribed_from_email_marketing",
    "subscribed": "event:klaviyo.subscribed_to_email_marketing",
    "spam": "event:klaviyo.marked_email_as_spam",
    "bounced": "event:klaviyo.bounced_email",
    "webinar": "event:api.webinar_registered",
}
# Topics of an account's other metrics: subscribed to, but nothing here makes them happen.
_QUIET = tuple(
    f"event:klaviyo.{name}"
    for name in (
        "dropped_email", "manually_suppressed_from_email_marketing", "manually_unsuppressed_from_email_marketing",
        "opened_email", "subscribed_to_sms_marketing", "unsubscribed_from_sms_marketing", "updated_email_preferences",
    )
)  # fmt: skip
ALL_TOPICS = (*TOPICS.values(), *_QUIET)


def sign(secret: str, body: bytes, timestamp: str) -> str:
    """The Klaviyo-Signature: hex HMAC-SHA256 over the raw body followed by the timestamp header's text."""
    return hmac.new(secret.encode(), body + timestamp.encode(), hashlib.sha256).hexdigest()


class Webhooks:
    """Subscriptions, deliveries and acts, over one state."""

    def __init__(self, state: State, secret: str) -> None:
        self.state, self.secret = state, secret
        self.table = state.standin.table("webhooks")
        self.acts: dict[str, Act] = {
            "klaviyo_unsubscribe": self.unsubscribe,
            "klaviyo_double_opt_in": self.double_opt_in,
            "klaviyo_spam": self.complain,
            "klaviyo_bounce": self.bounce,
            "register": self.register,
        }

    def ways(self) -> list[Way]:
        """The paths."""
        one = {"GET": self.one, "PATCH": self.update, "DELETE": self.delete}
        return [
            Way("/api/webhooks", GET=self._if_allowed(self.every), POST=self._if_allowed(self.create)),
            Way("/api/webhooks/{id}", **{method: self._if_allowed(handler) for method, handler in one.items()}),
            Way("/api/webhook-topics", GET=self._if_allowed(self.topics)),
        ]

    def every(self, call: Call) -> Response:
        """GET /api/webhooks."""
        return self._document(call, list(self.table.rows), links=_links(call))

    def one(self, call: Call) -> Response:
        """GET /api/webhooks/{id}."""
        return self._document(call, self._known(call))

    def create(self, call: Call) -> Response:
        """POST /api/webhooks."""
        data = body_data(call, "webhook")
        row_id, at = "01" + uuid.uuid4().hex[:24].upper(), stamp(utc_now())
        row = {"description": None, "enabled": True, "created_at": at, "updated_at": at}
        self.table.put(row_id, row | _attributes(data, new=True) | _topics_of(data, new=True))
        return document(self._resource(call, row_id, with_topics=True), 201)

    def update(self, call: Call) -> Response:
        """PATCH /api/webhooks/{id}: what is given changes."""
        row_id, data = self._known(call), body_data(call, "webhook")
        changed = _attributes(data, new=False) | _topics_of(data, new=False) | {"updated_at": stamp(utc_now())}
        self.table.put(row_id, self.table.rows[row_id] | changed)
        return document(self._resource(call, row_id, with_topics=True))

    def delete(self, call: Call) -> Response:
        """DELETE /api/webhooks/{id}."""
        self.table.drop(self._known(call))
        return Response(status_code=204)

    def topics(self, call: Call) -> Response:
        """GET /api/webhook-topics."""
        return document([_topic(call, topic) for topic in ALL_TOPICS], links=_links(call))

    def unsubscribe(self, person: Person, options: Row) -> Webhook:
        """The person uses the unsubscribe link of a mail."""
        return self._by_email(person, options, "unsubscribed", "withdrawn")

    def double_opt_in(self, person: Person, options: Row) -> Webhook:
        """The person confirms a subscription by a click."""
        return self._by_email(person, options, "subscribed", "granted_confirmed")

    def complain(self, person: Person, options: Row) -> Webhook:
        """The person reports a mail as spam."""
        return self._by_email(person, options, "spam", "")

    def bounce(self, person: Person, options: Row) -> Webhook:
        """The person's mailbox turns out to be gone."""
        return self._by_email(person, options, "bounced", "")

    def register(self, person: Person, options: Row) -> Webhook:
        """The person registers for a webinar (a custom metric)."""
        row_id, at = self._profile(person), utc_now()
        self.state.standin.world.add_fact("registration", person.person, at)
        name = str(options.get("webinar", "Brewing better tea"))
        event = self.state.add_event(METRICS["webinar"], row_id, at, {"webinar": name}, uuid.uuid4().hex)
        self.state.touch(row_id, self.state.profiles.rows[row_id] | {"last_event_date": stamp(at)}, stamp(at))
        return self._webhook("webinar", event)

    def _by_email(self, person: Person, options: Row, what: str, said: str) -> Webhook:
        row_id, at = self._profile(person), utc_now()
        row, text = dict(self.state.profiles.rows[row_id]), stamp(at)
        address = valid_email(row["email"])
        if address is None:
            raise LookupError(f"{person.person} has no e-mail at Klaviyo")
        email = row["subscriptions"]["email"] | {"suppression": list(row["subscriptions"]["email"]["suppression"])}
        properties: Row = {"email_address": address}
        world = self.state.standin.world
        if said:
            where = {"channel": "email", "identifier": address, "platform": "klaviyo"}
            world.add_fact("statement", person.person, at, state=said, **where)
        if what == "unsubscribed":
            unsubscribe_email(email, text)
        elif what == "subscribed":
            email |= {"consent": "SUBSCRIBED", "consent_timestamp": text, "last_updated": text, "double_optin": True}
            email |= {"suppression": [], "can_receive_email_marketing": True, "method": "FORM"}
        else:
            kind = "hard_bounce" if what == "bounced" else "spam_complaint"
            world.add_fact("block", person.person, at, email=address, block=kind)
            suppress(email, "HARD_BOUNCE" if what == "bounced" else "SPAM_COMPLAINT", text)
            properties |= {"Bounce Type": "Hard"} if what == "bounced" else {}
        row["subscriptions"] = row["subscriptions"] | {"email": email}
        self.state.touch(row_id, row | {"last_event_date": text}, text)
        return self._webhook(what, self.state.add_event(METRICS[what], row_id, at, properties, uuid.uuid4().hex))

    def _webhook(self, what: str, event: str) -> Webhook:
        topic = TOPICS[what]
        own = [row for row in self.table.rows.values() if row["enabled"] and topic in row["topics"]]
        hook_id = next((i for i, row in self.table.rows.items() if row in own), "01SANDBOXWEBHOOK0000000000")
        item = {"topic": topic, "external_id": event, "payload": {"data": render.event(None, self.state, event)}}
        meta = {
            "klaviyo_webhook_id": hook_id, "klaviyo_account_id": ACCOUNT_ID, "version": "2026-10-15",
            "timestamp": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        body = orjson.dumps({"data": [item], "meta": meta})

        def signed(url: str, content: bytes) -> dict[str, str]:
            timestamp = format_datetime(datetime.now(UTC), usegmt=True)
            secret = next((row["secret"] for row in own if row["endpoint_url"] == url), self.secret)
            return {"Klaviyo-Timestamp": timestamp, "Klaviyo-Signature": sign(secret, content, timestamp)}

        headers = {"Content-Type": "application/json", "Klaviyo-Webhook-Id": hook_id}
        return Webhook(topic, body, headers, event, signed, [row["endpoint_url"] for row in own])

    def _profile(self, person: Person) -> str:
        known = [record.record_id for record in person.at("klaviyo") if record.record_id in self.state.profiles.rows]
        if not known:
            raise LookupError(f"{person.person} has no profile at Klaviyo")
        return known[0]

    def _known(self, call: Call) -> str:
        if call.path_params["id"] not in self.table.rows:
            raise not_found("webhook", call.path_params["id"])
        return call.path_params["id"]

    def _if_allowed(self, handler: Handler) -> Handler:
        """Refuse accounts without Advanced KDP; the documentation names the plan, not the words of the refusal."""

        def answer(call: Call) -> Response:
            if self.state.standin.world.settings.klaviyo_plan == "advanced_kdp":
                return handler(call)
            detail = "You do not have permission to perform this action."
            return failure(403, "permission_denied", "Permission denied.", detail)

        return answer

    def _document(self, call: Call, found: str | list[str], **more: Any) -> Response:
        """Webhooks; their topics stand in the answer only when `include` asks for them."""
        ids, wanted = [found] if isinstance(found, str) else found, call.query.get("include") == "webhook-topics"
        resources = [self._resource(call, row_id, with_topics=wanted) for row_id in ids]
        if wanted:
            topics = sorted({topic for row_id in ids for topic in self.table.rows[row_id]["topics"]})
            more["included"] = [_topic(call, topic) for topic in topics]
        return document(resources[0] if isinstance(found, str) else resources, **more)

    def _resource(self, call: Call, row_id: str, with_topics: bool) -> Row:
        row = self.table.rows[row_id]
        me, address = f"{render.root(call)}/api/webhooks/{row_id}", urlsplit(row["endpoint_url"])
        attributes = {name: row[name] for name in ("name", "description", "enabled", "created_at", "updated_at")}
        # Only the beginning of an address is shown: the rest may hold a secret.
        attributes["endpoint_url"] = f"{address.scheme}://{address.netloc}"
        topics: Row = {
            "links": {"self": f"{me}/relationships/webhook-topics/", "related": f"{me}/webhook-topics/"},
        }
        if with_topics:
            topics["data"] = [{"type": "webhook-topic", "id": topic} for topic in row["topics"]]
        return {
            "type": "webhook", "id": row_id, "attributes": attributes, "links": {"self": f"{me}/"},
            "relationships": {"webhook-topics": topics},
        }  # fmt: skip


def _attributes(data: Row, new: bool) -> Row:
    """The attributes given; plain http is taken for loopback addresses only."""
    given: Row = data.get("attributes") or {}
    url, secret = str(given.get("endpoint_url", "")), str(given.get("secret_key", ""))
    if (new or "endpoint_url" in given) and not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise invalid("The endpoint_url must use https.", pointer="/data/attributes/endpoint_url")
    if (new or "secret_key" in given) and len(secret) < 16:
        raise invalid("A secret_key of 16 or more characters is needed.", pointer="/data/attributes/secret_key")
    if new and not given.get("name"):
        raise invalid("A name is needed.", pointer="/data/attributes/name")
    kept = {name: given[name] for name in ("name", "description", "endpoint_url", "enabled") if name in given}
    return kept | ({"secret": secret} if secret else {})


def _topics_of(data: Row, new: bool) -> Row:
    related = ((data.get("relationships") or {}).get("webhook-topics") or {}).get("data") or []
    topics = [item["id"] for item in related]
    if (new and not topics) or not set(topics) <= set(ALL_TOPICS):
        raise invalid("Unknown webhook topic.", pointer="/data/relationships/webhook-topics")
    return {"topics": topics} if topics else {}


def _topic(call: Call, topic: str) -> Row:
    me = f"{render.root(call)}/api/webhook-topics/{topic}/"
    return {"type": "webhook-topic", "id": topic, "links": {"self": me}}


def _links(call: Call) -> dict[str, str | None]:
    return {"self": f"{render.root(call)}{call.path}", "next": None, "prev": None}
