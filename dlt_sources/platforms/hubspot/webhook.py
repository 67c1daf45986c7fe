"""HubSpot's webhooks: up to a hundred acts a request, signed over method, public URL, body and time.

Only the v3 signature is taken: the older ones that come beside it bear no time, so whoever saw one request could repeat
it for ever. An act mostly names nothing but a record's id; whose it is, the destination's `identify` tells.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import LANES, Answer, Delivery, Effect, Event, Identifier, Lane, WebhookRequest
from dlt_sources.platforms.hubspot.tables import TOPICS
from dlt_sources.receiving import json_items, moment, require_equal, require_secret, text

ACCEPTED = Answer()
#: How far the signed time may lie from ours, on either side.
WINDOW = timedelta(minutes=5)
_MILLISECOND = timedelta(milliseconds=1)
_STAMP = re.compile("[0-9]{1,15}")

#: Escapes that HubSpot takes out of the URL before it signs; all others stay.
_DECODED = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)

_TOPICS = {topic.topic: topic for topic in TOPICS}
_CONTACT = "0-1"
_OPT_OUT = "hs_email_optout"
_PARTS_OF_A_KEY = ("portalId", "subscriptionId", "objectId", "occurredAt", "propertyName", "propertyValue", "eventId")


def verify(request: WebhookRequest, account: Account) -> None:
    """Raise WebhookRejected(401) unless the app's client secret signed this request in the last five minutes."""
    secret = require_secret(account, "client_secret")
    stamp = request.headers.get("x-hubspot-request-timestamp", "")
    url = _DECODED.sub(lambda found: unquote(found[0]), request.url)
    signed = f"{request.method}{url}".encode() + request.body + stamp.encode("latin-1", "replace")
    signature = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    require_equal(request.headers.get("x-hubspot-signature-v3", ""), signature, status=401)
    now = request.received_at.timestamp() * 1000
    if not _STAMP.fullmatch(stamp) or abs(now - int(stamp)) > WINDOW / _MILLISECOND:
        raise WebhookRejected("outside_time_window", status=401)


def parse(request: WebhookRequest, account: Account) -> Delivery:
    """Read the acts; items of topics unknown to us carry none."""
    items = [item for item in json_items(request.body) if isinstance(item, dict)]
    read = [(_topic(item), _key(item), item) for item in items]
    events = {key: _event(topic, key, item, request, account) for topic, key, item in read}
    return Delivery(
        topic=_leading_topic([topic for topic, _, _ in read]),
        id=hashlib.sha256("\n".join(sorted({key for _, key, _ in read})).encode()).hexdigest(),
        events=tuple(event for event in events.values() if event),
    )


def _topic(item: Mapping[str, Any]) -> str:
    """The item's topic; newer apps name contacts by their type's number, older documents the field by another name."""
    topic = text(item.get("subscriptionType")) or text(item.get("eventType"))
    if text(item.get("objectTypeId")) == _CONTACT:
        topic = re.sub(r"^object\.", "contact.", topic)
    return topic


def _key(item: Mapping[str, Any]) -> str:
    """An act's id, the same when it is sent again (only `attemptNumber` counts on); `eventId` alone is not unique."""
    parts = [_topic(item), *(text(item.get(name)) for name in _PARTS_OF_A_KEY)]
    if text(item.get("objectId")) and text(item.get("occurredAt")):
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    rest = sorted((key, value) for key, value in item.items() if key != "attemptNumber")
    return hashlib.sha256(repr(rest).encode()).hexdigest()


def _event(topic: str, key: str, item: Mapping[str, Any], request: WebhookRequest, account: Account) -> Event | None:
    declared = _TOPICS.get(topic)
    identifiers = _identifiers(topic, item)
    if declared is None or not identifiers:
        return None
    name: str = declared.event
    lane: Lane = declared.lane
    effect: Effect | None = None
    if topic == "contact.privacyDeletion":
        effect = Effect(kind="erased", channel="*")
    elif topic == "contact.propertyChange":
        effect = _withdrawal(item, account)
        lane = "speed" if effect else "segmentation"
        name = "email_unsubscribed" if effect else name
    return Event(
        id=key,
        name=name,
        lane=lane,
        occurred_at=_occurred_at(item, request.received_at),
        identifiers=identifiers,
        effect=effect,
    )


def _withdrawal(item: Mapping[str, Any], account: Account) -> Effect | None:
    """What a change of an opt-out property forbids. Taking one back gives nothing: that is for a build to weigh."""
    name, value = text(item.get("propertyName")), item.get("propertyValue")
    if name != _OPT_OUT and not name.startswith(f"{_OPT_OUT}_"):
        return None
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "false")) or value is False:
        return None
    # Any other value has never been seen: unknown is not sent to.
    return Effect(kind="withdrawn", channel="email", topic=_topic_of(name, account))


def _topic_of(name: str, account: Account) -> str:
    """Whose mail the property is about; a subscription type that the configuration does not name is all mail."""
    pairs = [pair.partition("=") for pair in account.get("subscription_types").split(",")]
    topics = {id_.strip(): topic.strip().lower() for id_, _, topic in pairs if id_.strip() and topic.strip()}
    return topics.get(name.removeprefix(f"{_OPT_OUT}_"), "*")


def _identifiers(topic: str, item: Mapping[str, Any]) -> tuple[Identifier, ...]:
    merged = item.get("mergedObjectIds") if topic == "contact.merge" else None
    ids = [item.get("objectId")]
    if topic == "contact.merge":
        ids += [item.get("newObjectId"), item.get("primaryObjectId"), *(merged if isinstance(merged, list) else ())]
    found = [Identifier("record", text(id_)) for id_ in ids if text(id_)]
    return tuple(dict.fromkeys(found))


def _occurred_at(item: Mapping[str, Any], received_at: datetime) -> datetime:
    at = item.get("occurredAt")
    return moment(at / 1000 if isinstance(at, int | float) else at, received_at)


def _leading_topic(topics: Sequence[str]) -> str:
    """The one topic of a request, or the most urgent of several."""
    urgency = {topic: LANES.index(_TOPICS[topic].lane) if topic in _TOPICS else len(LANES) for topic in topics}
    return min(urgency, key=lambda topic: (urgency[topic], topic), default="")
