"""HubSpot's webhooks: signature vectors, the time window, and what each act forbids."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import Delivery, Effect, Identifier, WebhookRequest
from dlt_sources.platforms.hubspot import webhook
from tests.platforms.conftest import refusal

Received = Callable[..., WebhookRequest]
Payload = Callable[[str], bytes]

SECRET = "test-client-secret"
ACCOUNT = Account("hubspot", "main", "acme", "US", (), {"client_secret": SECRET})
WITHDRAWN = Effect(kind="withdrawn", channel="email")
NOW = 1795348800000  # the moment that the fixture's requests are received, in milliseconds


def read(received: Received, items: Any, account: Account = ACCOUNT) -> Delivery:
    return webhook.parse(received(items if isinstance(items, bytes) else json.dumps(items).encode()), account)


def change(name: str, value: Any, **more: Any) -> dict[str, Any]:
    return {
        "eventId": 1,
        "subscriptionId": 2,
        "portalId": 33,
        "occurredAt": NOW - 1000,
        "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0,
        "objectId": 12,
        "propertyName": name,
        "propertyValue": value,
        **more,
    }


# --- signatures -----------------------------------------------------------------------------------------------------

PUBLISHED = WebhookRequest(
    method="POST",
    url="https://www.example.com/webhook_uri",
    headers={
        "x-hubspot-signature-v3": "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=",
        "x-hubspot-request-timestamp": "1693657560000",
        "x-hubspot-signature": "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750",
        "x-hubspot-signature-version": "v1",
    },
    body=b"{'example_field':'example_value'}",
    received_at=datetime.fromtimestamp(1693657560, UTC),
)
PUBLISHED_ACCOUNT = replace(ACCOUNT, settings={"client_secret": "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"})


def computed(payload: Payload) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        url="http://127.0.0.1:8099/webhooks/hubspot",
        headers={
            "x-hubspot-signature-v3": "pkL1GhBgXW9QQEW9PsCht7okqLr6rgeV9/ltgM1M2V8=",
            "x-hubspot-request-timestamp": "1796000000000",
        },
        body=payload("optout.json"),
        received_at=datetime.fromtimestamp(1796000000, UTC),
    )


def signed(body: bytes = b"[]", url: str = "https://hooks.example.test/webhooks", stamp: str = "now") -> WebhookRequest:
    stamp = str(NOW) if stamp == "now" else stamp
    signature = hmac.digest(SECRET.encode(), b"POST" + url.encode() + body + stamp.encode(), hashlib.sha256)
    headers = {
        "x-hubspot-signature-v3": base64.b64encode(signature).decode(),
        "x-hubspot-request-timestamp": stamp,
    }
    received_at = datetime.fromtimestamp(NOW / 1000, UTC)
    return WebhookRequest(method="POST", url=url, headers=headers, body=body, received_at=received_at)


def test_the_published_signature_is_accepted() -> None:
    assert refusal(webhook, PUBLISHED, PUBLISHED_ACCOUNT) == ""


def test_the_signature_of_a_real_looking_batch_is_accepted(payload: Payload) -> None:
    request = computed(payload)
    assert len(request.body) == 262
    assert refusal(webhook, request, ACCOUNT) == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"method": "PUT"},
        {"url": "http://www.example.com/webhook_uri"},
        {"url": "https://www.example.com/webhook_uri/"},
        {"url": "https://www.example.com/webhook_uri?a=1"},
        {"body": b'{"example_field":"example_value"}'},
        {"headers": {**PUBLISHED.headers, "x-hubspot-request-timestamp": "1693657560001"}},
    ],
    ids=["method", "scheme", "path", "query", "body", "time"],
)
def test_everything_that_is_signed_counts(changed: dict[str, Any]) -> None:
    with pytest.raises(WebhookRejected, match="bad_signature"):
        webhook.verify(replace(PUBLISHED, **changed), PUBLISHED_ACCOUNT)


def test_an_older_signature_alone_is_refused() -> None:
    """It bears no time, so that whoever saw one request could repeat it for ever."""
    headers = {name: value for name, value in PUBLISHED.headers.items() if "v3" not in name}
    with pytest.raises(WebhookRejected, match="no_signature"):
        webhook.verify(replace(PUBLISHED, headers=headers), PUBLISHED_ACCOUNT)


def received_after(seconds: int) -> WebhookRequest:
    return replace(PUBLISHED, received_at=PUBLISHED.received_at + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [0, 299, -299])
def test_the_window_is_five_minutes_on_either_side(seconds: int) -> None:
    assert refusal(webhook, received_after(seconds), PUBLISHED_ACCOUNT) == ""


@pytest.mark.parametrize("seconds", [301, -301])
def test_a_time_outside_the_window_is_refused(seconds: int) -> None:
    with pytest.raises(WebhookRejected, match="outside_time_window") as raised:
        webhook.verify(received_after(seconds), PUBLISHED_ACCOUNT)
    assert raised.value.status == 401


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "1795348800.5", "9" * 400])
def test_a_signed_time_that_is_none_is_refused(stamp: str) -> None:
    with pytest.raises(WebhookRejected, match="outside_time_window"):
        webhook.verify(signed(stamp=stamp), ACCOUNT)


def test_the_escapes_that_hubspot_decodes_are_decoded_and_no_others() -> None:
    plain = "https://hooks.example.test/a@b:c?x=(1)&y=%20%26"
    sent = "https://hooks.example.test/a%40b%3ac?x=%281%29&y=%20%26"
    webhook.verify(replace(signed(url=plain), url=sent), ACCOUNT)
    with pytest.raises(WebhookRejected, match="bad_signature"):
        webhook.verify(replace(signed(url=plain), url=plain.replace("%20", " ")), ACCOUNT)


# --- acts -----------------------------------------------------------------------------------------------------------


def test_each_act_of_a_batch_has_its_lane_and_effect(payload: Payload, received: Received) -> None:
    delivery = read(received, payload("many.json"))
    assert [(event.name, event.lane, event.effect) for event in delivery.events] == [
        ("customer_created", "segmentation", None),
        ("profile_updated", "segmentation", None),
        ("email_unsubscribed", "speed", WITHDRAWN),
        ("customer_updated", "segmentation", None),
        ("customer_deleted", "segmentation", None),
        ("customer_redacted", "speed", Effect(kind="erased", channel="*")),
        ("customer_updated", "segmentation", None),
    ]
    assert delivery.topic == "contact.privacyDeletion"
    assert delivery.events[2].occurred_at == datetime.fromtimestamp(1795348620, UTC)


def test_an_opt_out_names_its_record_for_identify_to_resolve(payload: Payload, received: Received) -> None:
    [event] = read(received, payload("optout.json")).events
    assert event.identifiers == (Identifier("record", "1246965"),)
    assert event.effect == WITHDRAWN


@pytest.mark.parametrize("value", ["true", "TRUE", True, "yes", "a value of 2031", 1, {}])
def test_an_opt_out_of_any_unknown_value_forbids(received: Received, value: Any) -> None:
    [event] = read(received, [change("hs_email_optout", value)]).events
    assert (event.effect, event.lane) == (WITHDRAWN, "speed")


@pytest.mark.parametrize("value", ["false", "False", "", None, False])
def test_an_opt_out_taken_back_grants_nothing(received: Received, value: Any) -> None:
    [event] = read(received, [change("hs_email_optout", value)]).events
    assert (event.name, event.effect, event.lane) == ("profile_updated", None, "segmentation")


@pytest.mark.parametrize(("types", "topic"), [("", "*"), ("123=Marketing", "marketing"), ("9=x,124=news", "*")])
def test_an_opt_out_from_one_type_is_of_its_topic_or_of_everything(received: Received, types: str, topic: str) -> None:
    account = replace(ACCOUNT, settings={"subscription_types": types})
    [event] = read(received, [change("hs_email_optout_123", "true")], account).events
    assert event.effect == Effect(kind="withdrawn", channel="email", topic=topic)


def test_a_property_that_only_looks_like_an_opt_out_forbids_nothing(received: Received) -> None:
    [event] = read(received, [change("hs_email_optoutreason", "true")]).events
    assert event.effect is None


def test_a_privacy_deletion_is_stronger_than_the_deletion_beside_it(payload: Payload, received: Received) -> None:
    items = json.loads(payload("many.json"))[4:6]
    for order in (items, items[::-1]):
        kinds = {event.name: event.effect and event.effect.kind for event in read(received, order).events}
        assert kinds == {"customer_deleted": None, "customer_redacted": "erased"}


def test_a_merge_is_about_every_record_in_it(payload: Payload, received: Received) -> None:
    [event] = read(received, json.loads(payload("many.json"))[3:4]).events
    assert [identifier.value for identifier in event.identifiers] == ["504", "600", "505", "506"]


def test_newer_apps_that_name_contacts_by_number_are_read_alike(received: Received) -> None:
    newer = change("hs_email_optout", "true", subscriptionType="object.propertyChange", objectTypeId="0-1")
    company = change("hs_email_optout", "true", subscriptionType="object.propertyChange", objectTypeId="0-2")
    delivery = read(received, [newer, company])
    assert [event.effect for event in delivery.events] == [WITHDRAWN]
    assert delivery.topic == "contact.propertyChange"


def test_an_act_keeps_its_id_when_it_is_tried_again_and_in_another_batch(payload: Payload, received: Received) -> None:
    items = json.loads(payload("many.json"))
    again = [{**item, "attemptNumber": item["attemptNumber"] + 3} for item in items]
    first, second = read(received, items), read(received, again[::-1])
    assert first.id == second.id
    assert {event.id for event in first.events} == {event.id for event in second.events}
    alone = read(received, again[2:3])
    assert alone.events[0].id == first.events[2].id
    assert alone.id != first.id


def test_event_ids_that_repeat_do_not_make_two_acts_one(received: Received) -> None:
    """HubSpot says itself that its event ids need not be unique."""
    acts = [change("hs_email_optout", "true"), change("hs_email_optout", "true", objectId=13)]
    assert len({event.id for event in read(received, acts).events}) == 2


def test_an_item_that_comes_twice_in_a_batch_is_one_act(received: Received) -> None:
    twice = [change("hs_email_optout", "true"), change("hs_email_optout", "true", attemptNumber=1)]
    assert len(read(received, twice).events) == 1


def test_a_hundred_acts_are_a_hundred_acts(received: Received) -> None:
    items = [change("hs_email_optout", "true", objectId=number, eventId=number) for number in range(100)]
    assert len({event.id for event in read(received, items).events}) == 100


def test_an_act_about_nobody_is_none(received: Received) -> None:
    assert read(received, [change("hs_email_optout", "true", objectId=None)]).events == ()
