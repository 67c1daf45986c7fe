"""Shopify's webhooks: signature vectors, and what each topic means and forbids."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import Delivery, Effect, Identifier, WebhookRequest
from dlt_sources.platforms.shopify import webhook

Received = Callable[..., WebhookRequest]
Payload = Callable[[str], bytes]
RECORD = Identifier("record", "706405506930370084")
BOB, BOBS_PHONE = Identifier("email", "bob@example.com"), Identifier("phone", "+14155550123")
EMAIL_TOPIC, SMS_TOPIC = "customers_email_marketing_consent/update", "customers_marketing_consent/update"


def account(**secrets: str) -> Account:
    return Account("shopify", "main", "acme", "US", (), secrets)


def read(received: Received, body: bytes | dict[str, Any], topic: str, **headers: str) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return webhook.parse(received(raw, x_shopify_topic=topic, **{"x_shopify_webhook_id": "w1", **headers}), account())


def test_the_platforms_own_vector_is_accepted(received: Received) -> None:
    signed = received(b'{"foo": "bar"}', x_shopify_hmac_sha256="B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g=")
    webhook.verify(signed, account(webhook_secret="test_secret_key"))
    webhook.verify(signed, account(client_secret="test_secret_key"))
    with pytest.raises(WebhookRejected) as raised:
        webhook.verify(signed, account(webhook_secret="other", client_secret="test_secret_key"))
    assert raised.value.status == 401


def test_the_signature_covers_the_raw_bytes(payload: Payload, received: Received) -> None:
    body, known = payload("email_marketing_consent.json"), "oPbuDUhpggQzfOoChDgyhiiYKX31EB91Qrkmcu2CvNE="
    secret = account(webhook_secret="shpss_test_secret")
    webhook.verify(received(body, x_shopify_hmac_sha256=known), secret)
    with pytest.raises(WebhookRejected, match="bad_signature"):
        webhook.verify(received(body + b"\n", x_shopify_hmac_sha256=known), secret)


def test_the_newer_headers_win_where_both_are_there(received: Received) -> None:
    secret, known = account(webhook_secret="test_secret_key"), "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g="
    webhook.verify(received(b'{"foo": "bar"}', shopify_hmac_sha256=known, x_shopify_hmac_sha256="wrong"), secret)
    delivery = webhook.parse(
        received(b"{}", shopify_topic="app/uninstalled", x_shopify_topic="x", shopify_webhook_id="new"), account()
    )
    assert (delivery.topic, delivery.id) == ("app/uninstalled", "new")


@pytest.mark.parametrize(
    ("state", "name", "effect"),
    [
        ("unsubscribed", "email_unsubscribed", Effect(kind="withdrawn", channel="email")),
        ("UNSUBSCRIBED", "email_unsubscribed", Effect(kind="withdrawn", channel="email")),
        ("redacted", "email_unsubscribed", Effect(kind="erased", channel="*")),
        ("invalid", "email_unsubscribed", Effect(kind="invalid_address", channel="email")),
        ("a state of 2031", "email_unsubscribed", Effect(kind="withdrawn", channel="email")),
        (None, "email_unsubscribed", Effect(kind="withdrawn", channel="email")),
        ("subscribed", "email_subscribed", None),
        ("pending", "customer_updated", None),
        ("not_subscribed", "customer_updated", None),
    ],
)
@pytest.mark.parametrize("topic", [EMAIL_TOPIC, "customers/email_marketing_consent_update"])
def test_a_consent_state_has_its_effect(
    payload: Payload, received: Received, topic: str, state: str | None, name: str, effect: Effect | None
) -> None:
    body = json.loads(payload("email_marketing_consent.json"))
    body["email_marketing_consent"]["state"] = state
    [event] = read(received, body, topic).events
    assert (event.name, event.effect, event.lane) == (name, effect, "speed" if effect else "segmentation")
    assert event.identifiers == (BOB, RECORD)
    assert event.occurred_at == datetime(2026, 11, 2, 10, 15, tzinfo=UTC)


def test_an_opt_out_from_texts_names_the_phone_and_leaves_the_email_alone(payload: Payload, received: Received) -> None:
    [event] = read(received, payload("sms_marketing_consent.json"), SMS_TOPIC).events
    assert event.effect == Effect(kind="withdrawn", channel="sms")
    assert event.identifiers == (BOBS_PHONE, RECORD)
    assert event.occurred_at == datetime(2026, 11, 2, 15, 15, tzinfo=UTC)


@pytest.mark.parametrize(("consent", "forbids"), [(None, False), ("gone", True), (..., True)])
def test_a_consent_topic_without_a_consent_is_no_licence(
    payload: Payload, received: Received, consent: Any, forbids: bool
) -> None:
    """Null says that there is no address to consent for; anything else we cannot read counts as a withdrawal."""
    body = json.loads(payload("email_marketing_consent.json"))
    if consent is ...:
        del body["email_marketing_consent"]
    else:
        body["email_marketing_consent"] = consent
    [event] = read(received, body, EMAIL_TOPIC).events
    assert bool(event.effect) == forbids


def test_an_older_payload_that_carries_consent_in_customers_update_is_heard(
    payload: Payload, received: Received
) -> None:
    events = read(received, payload("customers_update_2024.json"), "customers/update").events
    assert [(event.name, event.lane, event.effect) for event in events] == [
        ("sms_unsubscribed", "speed", Effect(kind="withdrawn", channel="sms")),
        ("customer_updated", "segmentation", None),
    ]
    assert BOB not in events[0].identifiers


def test_an_order_names_its_buyer_and_travels_the_speed_lane(payload: Payload, received: Received) -> None:
    [event] = read(received, payload("orders_create.json"), "orders/create").events
    assert (event.name, event.lane, event.effect) == ("order_placed", "speed", None)
    assert event.identifiers == (Identifier("email", "Bob@Example.com"), BOB, BOBS_PHONE, RECORD)
    assert event.occurred_at == datetime(2026, 11, 22, 10, 59, tzinfo=UTC)


def test_a_guests_order_is_not_mistaken_for_a_record(received: Received) -> None:
    [event] = read(received, {"id": 5, "email": "guest@example.com", "customer": None}, "orders/create").events
    assert event.identifiers == (Identifier("email", "guest@example.com"),)


def test_redaction_erases_on_every_channel(payload: Payload, received: Received) -> None:
    [event] = read(received, payload("customers_redact.json"), "customers/redact").events
    assert (event.name, event.lane, event.effect) == ("customer_redacted", "speed", Effect(kind="erased", channel="*"))
    assert event.identifiers == (BOB, BOBS_PHONE, RECORD)


def test_a_deleted_record_forbids_nothing(payload: Payload, received: Received) -> None:
    [event] = read(received, payload("customers_delete.json"), "customers/delete").events
    assert (event.name, event.effect, event.identifiers) == ("customer_deleted", None, (RECORD,))


def test_two_subscriptions_to_one_action_tell_one_act(payload: Payload, received: Received) -> None:
    body = payload("email_marketing_consent.json")
    first = read(received, body, EMAIL_TOPIC, x_shopify_webhook_id="w1", x_shopify_event_id="e")
    second = read(received, body, EMAIL_TOPIC, x_shopify_webhook_id="w2", x_shopify_event_id="e")
    assert first.id != second.id
    assert [event.id for event in first.events] == [event.id for event in second.events]


def test_a_time_in_the_future_is_no_later_than_its_receipt(payload: Payload, received: Received) -> None:
    body = json.loads(payload("email_marketing_consent.json"))
    body["email_marketing_consent"]["consent_updated_at"] = "2099-01-01T00:00:00Z"
    [event] = read(received, body, EMAIL_TOPIC).events
    assert event.occurred_at == received(b"").received_at
