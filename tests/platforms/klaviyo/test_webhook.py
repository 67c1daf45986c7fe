"""Klaviyo's webhooks: signature vectors, the time window, and what each topic forbids."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import Effect, Identifier, WebhookRequest
from dlt_sources.platforms.klaviyo import webhook
from tests.platforms.conftest import refusal

SECRET = "supersecretkey_1234567890"
ACCOUNT = Account("klaviyo", "main", "acme", "US", (), {"webhook_secret": SECRET})
Received = Callable[..., WebhookRequest]
Payload = Callable[[str], bytes]

OPT_OUT = "unsubscribed_from_email_marketing.json"


def signed(received: Received, body: bytes, stamp: str = "now") -> WebhookRequest:
    signature = hmac.new(SECRET.encode(), body + stamp.encode(), hashlib.sha256).hexdigest()
    return received(body, klaviyo_signature=signature, klaviyo_timestamp=stamp)


@pytest.mark.parametrize(
    ("stamp", "signature"),
    [
        ("Mon, 13 Apr 2026 22:50:12 GMT", "9d90f3ee8386c635ad42be7db149376cd138689e52389240e5a092c8805ed06e"),
        ("2026-04-13T22:50:12+00:00", "374b2cc95ad27c6c12fa5e3c90c3ceae73b8bc396985ed6bf159fad9a2a6870e"),
    ],
)
def test_known_signatures_are_accepted_whatever_the_format_of_the_time(
    payload: Payload, received: Received, stamp: str, signature: str
) -> None:
    request = received(payload(OPT_OUT), klaviyo_signature=signature, klaviyo_timestamp=stamp)
    near = datetime.fromisoformat("2026-04-13T22:55:00+00:00")
    assert refusal(webhook, WebhookRequest(**{**_fields(request), "received_at": near}), ACCOUNT) == ""


def test_the_body_comes_before_the_timestamp(received: Received) -> None:
    stamp, known = "2026-07-16T10:00:00", "0e165d75b687d03aa36452269bf99fd8efe623ebb6c2c576ec12656fb0030515"
    genuine = received(b'{"data":1}', klaviyo_signature=known, klaviyo_timestamp=stamp)
    assert refusal(webhook, genuine, ACCOUNT) == ""
    swapped = hmac.new(SECRET.encode(), stamp.encode() + b'{"data":1}', hashlib.sha256).hexdigest()
    with pytest.raises(WebhookRejected, match="bad_signature"):
        webhook.verify(received(b'{"data":1}', klaviyo_signature=swapped, klaviyo_timestamp=stamp), ACCOUNT)


@pytest.mark.parametrize("days", [-1.1, 7.1, 400])
def test_a_signed_time_far_away_is_refused(received: Received, days: float) -> None:
    body = _with_time(received(b"").received_at - timedelta(days=days))
    with pytest.raises(WebhookRejected, match="outside_time_window") as raised:
        webhook.verify(signed(received, body), ACCOUNT)
    assert raised.value.status == 400


@pytest.mark.parametrize("days", [-0.9, 0, 0.2, 3, 6.9])
def test_a_webhook_that_klaviyo_tried_again_for_days_is_not_lost(received: Received, days: float) -> None:
    late = signed(received, _with_time(received(b"").received_at - timedelta(days=days)))
    assert refusal(webhook, late, ACCOUNT) == ""


@pytest.mark.parametrize("meta", [{}, {"timestamp": None}, {"timestamp": "yesterday"}, {"timestamp": "2026-11-22"}, 5])
def test_a_signed_body_without_a_readable_time_is_not_refused_for_age(received: Received, meta: Any) -> None:
    timeless = signed(received, json.dumps({"data": [], "meta": meta}).encode())
    assert refusal(webhook, timeless, ACCOUNT) == ""


def test_each_topic_has_its_effect(payload: Payload, received: Received) -> None:
    delivery = webhook.parse(received(payload("many.json")), ACCOUNT)
    found = [(event.name, event.lane, event.effect) for event in delivery.events]
    assert found == [
        ("email_subscribed", "segmentation", None),
        ("email_marked_spam", "speed", Effect(kind="spam_complaint", channel="email")),
        ("sms_unsubscribed", "speed", Effect(kind="withdrawn", channel="sms")),
        ("email_bounced", "care", None),
        ("email_bounced", "speed", Effect(kind="hard_bounce", channel="email")),
        ("other", "speed", Effect(kind="manual_block", channel="email")),
    ]
    assert delivery.topic == "event:klaviyo.bounced_email", "the request travels as its most urgent item"


def test_an_act_names_the_addresses_of_its_channel_and_the_record(payload: Payload, received: Received) -> None:
    events = {event.id.split()[1]: event for event in webhook.parse(received(payload("many.json")), ACCOUNT).events}
    assert events["e2"].identifiers == (Identifier("email", "Ann@Example.com"), Identifier("record", "01P2"))
    # An opt-out from texts must not carry the e-mail along: it would be suppressed too.
    assert events["e3"].identifiers == (Identifier("phone", "+14155550123"), Identifier("record", "01P3"))
    assert events["e6"].identifiers == (Identifier("record", "01P6"),)
    assert events["e6"].occurred_at.isoformat() == "2026-11-22T11:54:00+00:00"


def test_an_item_keeps_its_id_in_another_request(payload: Payload, received: Received) -> None:
    body = json.loads(payload("many.json"))
    alone = {**body, "data": body["data"][1:2], "meta": {}}
    [event] = webhook.parse(received(json.dumps(alone).encode()), ACCOUNT).events
    assert event.id in {other.id for other in webhook.parse(received(payload("many.json")), ACCOUNT).events}


def test_the_delivery_id_is_made_of_its_items_in_any_order(payload: Payload, received: Received) -> None:
    body = json.loads(payload("many.json"))
    turned = json.dumps({**body, "data": body["data"][::-1]}).encode()
    ids = {webhook.parse(received(sent), ACCOUNT).id for sent in (payload("many.json"), turned)}
    assert len(ids) == 1
    assert webhook.parse(received(payload(OPT_OUT)), ACCOUNT).id not in ids


def _with_time(at: datetime) -> bytes:
    return json.dumps({"data": [], "meta": {"timestamp": at.isoformat()}}).encode()


def _fields(request: WebhookRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in ("method", "url", "headers", "body", "received_at")}
