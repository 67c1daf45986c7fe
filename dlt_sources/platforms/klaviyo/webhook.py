"""Klaviyo's system webhooks: up to a thousand acts a request, signed over body and timestamp header."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import LANES, Answer, Delivery, Effect, EffectKind, Event, Identifier, Lane, WebhookRequest
from dlt_sources.platforms.klaviyo.tables import TOPICS
from dlt_sources.receiving import json_object, moment, part, require_equal, require_secret, text

ACCEPTED = Answer()
#: How far `meta.timestamp` (inside the signed body) may lie back. Klaviyo does not publish how long it tries again, and
#: a lost opt-out is worse than a repeated one, which changes nothing: so a week.
OLDEST = timedelta(days=7)
#: Its clocks were seen hours apart, so only an absurd future is refused.
NEWEST = timedelta(days=1)

_TOPICS = {topic.topic: topic for topic in TOPICS}
_PREFIX = "event:klaviyo."
_EFFECTS: dict[str, tuple[EffectKind, str]] = {
    f"{_PREFIX}unsubscribed_from_email_marketing": ("withdrawn", "email"),
    f"{_PREFIX}unsubscribed_from_sms_marketing": ("withdrawn", "sms"),
    f"{_PREFIX}marked_email_as_spam": ("spam_complaint", "email"),
    f"{_PREFIX}manually_suppressed_from_email_marketing": ("manual_block", "email"),
}
_EMAIL_KEYS = ("email_address", "email", "$email", "Email", "Recipient Email Address")
_PHONE_KEYS = ("phone_number", "$phone_number", "Phone Number", "phone")


def verify(request: WebhookRequest, account: Account) -> None:
    """Raise WebhookRejected(401) unless the webhook's secret_key signed body and timestamp, 400 when it is too old."""
    secret = require_secret(account, "webhook_secret")
    # The header's text is only signed bytes: its format varies, and its time was seen hours off.
    signed = request.body + request.headers.get("klaviyo-timestamp", "").encode("latin-1", "replace")
    signature = hmac.digest(secret, signed, hashlib.sha256).hex()
    require_equal(request.headers.get("klaviyo-signature", ""), signature, status=401)
    stamped = part(json_object(request.body), "meta").get("timestamp")
    try:
        age = request.received_at - datetime.fromisoformat(stamped) if isinstance(stamped, str) else timedelta()
    except (ValueError, TypeError):
        return  # signed, but without a time that can be read: not refused for age
    if not -NEWEST <= age <= OLDEST:
        raise WebhookRejected("outside_time_window", status=400)


def parse(request: WebhookRequest, account: Account) -> Delivery:
    """Read the acts; items of topics unknown to us carry none."""
    items = json_object(request.body).get("data")
    if not isinstance(items, list):
        raise WebhookRejected("no_list_of_items", status=400)
    read = [(text(item.get("topic")), item) for item in items if isinstance(item, dict)]
    keys = [f"{topic} {text(item.get('external_id')) or _digest(item)}" for topic, item in read]
    events = [_event(topic, key, item, request) for (topic, item), key in zip(read, keys, strict=True)]
    return Delivery(
        topic=_leading_topic([topic for topic, _ in read]),
        id=hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest(),
        events=tuple(event for event in events if event),
    )


def _event(topic: str, key: str, item: Mapping[str, Any], request: WebhookRequest) -> Event | None:
    declared = _TOPICS.get(topic)
    if declared is None:
        return None
    resource = part(item, "payload", "data")
    attributes, properties = part(resource, "attributes"), part(resource, "attributes", "event_properties")
    kind, channel = _EFFECTS.get(topic, (None, ""))
    lane: Lane = declared.lane
    if topic == f"{_PREFIX}bounced_email":
        # Soft bounces say nothing lasting, and Klaviyo suppresses by itself after several.
        if _is_hard(properties):
            kind, channel = "hard_bounce", "email"
        else:
            lane = "care"
    return Event(
        id=key,
        name=declared.event,
        lane=lane,
        occurred_at=moment(attributes.get("datetime") or attributes.get("timestamp"), request.received_at),
        identifiers=_identifiers(item, resource, properties, channel),
        effect=Effect(kind=kind, channel=channel) if kind else None,
    )


def _identifiers(
    item: Mapping[str, Any], resource: Mapping[str, Any], properties: Mapping[str, Any], channel: str
) -> tuple[Identifier, ...]:
    profile = part(resource, "relationships", "profile", "data")
    included = part(item, "payload").get("included")
    known = [entry for entry in included if isinstance(entry, dict)] if isinstance(included, list) else []
    people = [part(entry, "attributes") for entry in known if entry.get("type") == "profile"]
    found: list[Identifier] = []
    if channel != "sms":
        emails = [properties.get(key) for key in _EMAIL_KEYS] + [person.get("email") for person in people]
        found += [Identifier("email", text(email)) for email in emails if "@" in text(email)]
    if channel != "email":
        phones = [properties.get(key) for key in _PHONE_KEYS] + [person.get("phone_number") for person in people]
        found += [Identifier("phone", text(phone)) for phone in phones if text(phone)]
    if text(profile.get("id")):
        found.append(Identifier("record", text(profile.get("id"))))
    return tuple(dict.fromkeys(found))


def _is_hard(properties: Mapping[str, Any]) -> bool:
    """True when some property named like "Bounce Type" says hard."""
    return any(
        "".join(filter(str.isalpha, key.lower())) == "bouncetype" and text(value).lower().startswith("hard")
        for key, value in properties.items()
    )


def _leading_topic(topics: Sequence[str]) -> str:
    """The one topic of a request, or the most urgent of several."""
    urgency = {topic: LANES.index(_TOPICS[topic].lane) if topic in _TOPICS else len(LANES) for topic in topics}
    return min(urgency, key=lambda topic: (urgency[topic], topic), default="")


def _digest(item: Mapping[str, Any]) -> str:
    return hashlib.sha256(repr(sorted(item.items())).encode()).hexdigest()
