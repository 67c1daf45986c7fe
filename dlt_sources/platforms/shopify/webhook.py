"""Shopify's webhooks: one act a request, signed over the body alone.

Headers come with the prefix `x-shopify-` or, from its newer Events product, `shopify-`; the newer wins where both are
there. A repeat carries the same webhook id. The event id is the same for all deliveries of one action.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from dlt_sources.accounts import Account
from dlt_sources.platform import Answer, Delivery, Effect, EffectKind, Event, Identifier, WebhookRequest
from dlt_sources.platforms.shopify.tables import TOPICS
from dlt_sources.receiving import json_object, moment, part, require_equal, require_secret, text

ACCEPTED = Answer()

_TOPICS = {topic.topic: topic for topic in TOPICS}
_CONSENTS = {"email_marketing_consent": "email", "sms_marketing_consent": "sms"}
#: Topics that exist to tell a consent, and where in the body they do.
_CONSENT_TOPICS = {
    "customers_email_marketing_consent/update": "email_marketing_consent",
    "customers/email_marketing_consent_update": "email_marketing_consent",
    "customers_marketing_consent/update": "sms_marketing_consent",
    "customers/marketing_consent_update": "sms_marketing_consent",
}
_SILENT_STATES = {"subscribed", "pending", "not_subscribed"}
_STATE_KINDS: dict[str, EffectKind] = {"unsubscribed": "withdrawn", "redacted": "erased", "invalid": "invalid_address"}


def verify(request: WebhookRequest, account: Account) -> None:
    """Raise WebhookRejected(401), which Shopify demands, unless the app's secret signed the body."""
    secret = require_secret(account, "webhook_secret", "client_secret")
    signature = base64.b64encode(hmac.digest(secret, request.body, hashlib.sha256)).decode()
    require_equal(_header(request, "hmac-sha256"), signature, status=401)


def parse(request: WebhookRequest, account: Account) -> Delivery:
    """Read the act; a topic that is unknown to us makes a delivery without one."""
    body = json_object(request.body)
    topic = _header(request, "topic").lower()
    delivery_id = _header(request, "webhook-id") or hashlib.sha256(request.body).hexdigest()
    act = _header(request, "event-id") or delivery_id
    # Payload versions before 2025-01 carry consent inside customers/update too: read it wherever it stands.
    keys = [_CONSENT_TOPICS[topic]] if topic in _CONSENT_TOPICS else [key for key in _CONSENTS if key in body]
    consents = [_consent(f"{act}:{topic}", key, body, request) for key in keys]
    if topic in _CONSENT_TOPICS:
        return Delivery(topic=topic, id=delivery_id, events=tuple(consents))
    withdrawals = [event for event in consents if event.effect and topic in _TOPICS]
    return Delivery(topic=topic, id=delivery_id, events=(*withdrawals, *_plain(topic, act, body, request)))


def _consent(act: str, key: str, body: Mapping[str, Any], request: WebhookRequest) -> Event:
    channel, consent = _CONSENTS[key], part(body, key)
    # A state we have never seen, or none where one must stand, counts as a withdrawal: unknown is not sent to.
    state = "not_subscribed" if body.get(key, "") is None else text(consent.get("state")).lower()
    kind = None if state in _SILENT_STATES else _STATE_KINDS.get(state, "withdrawn")
    word = "unsubscribed" if kind else "subscribed"
    return Event(
        id=f"{act}:{channel}",
        name=f"{channel}_{word}" if kind or state == "subscribed" else "customer_updated",
        lane="speed" if kind else "segmentation",
        occurred_at=moment(consent.get("consent_updated_at"), request.received_at),
        identifiers=_identifiers(body, channel),
        effect=Effect(kind=kind, channel="*" if kind == "erased" else channel) if kind else None,
    )


def _plain(topic: str, act: str, body: Mapping[str, Any], request: WebhookRequest) -> Iterator[Event]:
    declared = _TOPICS.get(topic)
    if declared is None:
        return
    time = body.get("processed_at") or body.get("created_at") if topic == "orders/create" else body.get("updated_at")
    if topic == "customers/redact":
        time = None  # the body's times are not the request's
    yield Event(
        id=f"{act}:{topic}",
        name=declared.event,
        lane=declared.lane,
        occurred_at=moment(time or _header(request, "triggered-at"), request.received_at),
        identifiers=_identifiers(body, "*", of_order=topic.startswith(("orders/", "refunds/"))),
        effect=Effect(kind="erased", channel="*") if topic == "customers/redact" else None,
    )


def _identifiers(body: Mapping[str, Any], channel: str, *, of_order: bool = False) -> tuple[Identifier, ...]:
    """Whom a body is about; a consent names its own channel's address first."""
    customer = part(body, "customer")
    record = text(customer.get("id")) or text(body.get("customer_id")) or ("" if of_order else text(body.get("id")))
    emails = (body.get("email_address"), body.get("email"), customer.get("email")) if channel != "sms" else ()
    phones = (body.get("phone"), customer.get("phone")) if channel != "email" else ()
    found = [Identifier("email", text(email)) for email in emails if text(email)]
    found += [Identifier("phone", text(phone)) for phone in phones if text(phone)]
    found += [Identifier("record", record)] if record else []
    return tuple(dict.fromkeys(found))


def _header(request: WebhookRequest, name: str) -> str:
    return request.headers.get(f"shopify-{name}") or request.headers.get(f"x-shopify-{name}") or ""
