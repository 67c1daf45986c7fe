"""Twilio's webhooks: the platform's own signature vectors, its SDK as referee, and what requests mean."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import MultiDict
from twilio.request_validator import RequestValidator

from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import Delivery, Effect, Identifier, WebhookRequest
from dlt_sources.platforms.twilio import webhook
from tests.platforms.conftest import RECEIVED, refusal

Received = Callable[..., WebhookRequest]
Payload = Callable[[str], bytes]
TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}


def account(token: str = TOKEN) -> Account:
    return Account("twilio", "main", "acme", "US", (), {"auth_token": token})


def form(signature: str, fields: Any, url: str = URL, method: str = "POST") -> WebhookRequest:
    return WebhookRequest(
        method=method,
        url=url,
        headers={"x-twilio-signature": signature},
        body=urlencode(fields, doseq=True).encode(),
        received_at=RECEIVED,
    )


def read(**fields: str) -> Delivery:
    return webhook.parse(
        form("", {"MessageSid": "SM1", "From": "+14155550123", "To": "+18885550142", **fields}), account()
    )


def refused(request: WebhookRequest, token: str = TOKEN) -> str:
    with pytest.raises(WebhookRejected) as raised:
        webhook.verify(request, account(token))
    assert raised.value.status == 403
    return raised.value.reason


def test_the_platforms_own_vectors_are_accepted() -> None:
    assert refusal(webhook, form("RSOYDt4T1cUTdK1PDd93/VVr8B8=", CALL), account()) == ""
    assert refusal(webhook, form("kvajT1Ptam85bY51eRf/AJRuM3w=", CALL), account()) == ""
    many = {"Sid": "CA123", "SidAccount": "AC123", "Digits": ["5678", "1234", "1234"]}
    assert refusal(webhook, form("IK+Dwps556ElfBT0I3Rgjkr1wJU=", many), account()) == ""


def test_a_stop_is_accepted_and_withdraws(payload: Payload) -> None:
    fields = parse_qs(payload("stop.form").decode())
    request = form("zh97hz3RX37H5HfswMsRAznsE2c=", fields, "https://hooks.example.test/twilio/sms")
    token = "0123456789abcdef0123456789abcdef"
    webhook.verify(request, account(token))
    [event] = webhook.parse(request, account(token)).events
    assert (event.name, event.lane) == ("sms_unsubscribed", "speed")
    assert event.effect == Effect(kind="withdrawn", channel="sms")
    assert event.identifiers == (Identifier("phone", "+14155550123"),)
    assert event.id == "SM00000000000000000000000000000001"


def test_a_json_body_is_bound_by_the_hash_in_the_signed_url() -> None:
    body = b'{"property": "value", "boolean": true}'
    url = f"{URL}&bodySHA256={hashlib.sha256(body).hexdigest()}"
    request = replace(form("a9nBmqA0ju/hNViExpshrM61xv4=", {}, url), body=body)
    webhook.verify(request, account())
    assert refused(replace(request, body=body + b" ")) == "bad_signature"


@pytest.mark.parametrize("url", ["https://mycompany.com:443/myapp.php?foo=1&bar=2", URL])
@pytest.mark.parametrize("signature", ["RSOYDt4T1cUTdK1PDd93/VVr8B8=", "kvajT1Ptam85bY51eRf/AJRuM3w="])
def test_a_port_in_our_url_or_in_theirs_does_not_matter(url: str, signature: str) -> None:
    assert refusal(webhook, form(signature, CALL, url), account()) == ""


@pytest.mark.parametrize(
    "request_",
    [
        form("RSOYDt4T1cUTdK1PDd93/VVr8B8=", {**CALL, "Digits": "9"}),
        form("RSOYDt4T1cUTdK1PDd93/VVr8B8=", {**CALL, "New": "x"}),
        form("RSOYDt4T1cUTdK1PDd93/VVr8B8=", CALL, URL + "&baz=3"),
        form("RSOYDt4T1cUTdK1PDd93/VVr8B8=", CALL, "http://mycompany.com/myapp.php?foo=1&bar=2"),
        form("RSOYDt4T1cUTdK1PDd93/VVr8B8=", CALL, "https://mycompany.com:8443x/myapp.php"),
        form("RSOYDt4T1cUTdK1PDd93/VVr8B8=", {f"p{n}": "" for n in range(1001)}),
        replace(form("RSOYDt4T1cUTdK1PDd93/VVr8B8=", {}), body=b"\xff\xfe"),
    ],
    ids=["value", "field", "query", "scheme", "port", "too many fields", "bytes"],
)
def test_anything_else_than_what_was_signed_is_refused(request_: WebhookRequest) -> None:
    assert refused(request_)


@given(
    fields=st.dictionaries(
        st.text("abcAB_-ü ", min_size=1), st.lists(st.text(max_size=9).filter(str.isprintable), min_size=1, max_size=3)
    ),
    host=st.sampled_from(["a.example", "a.example:443", "a.example:8443", "127.0.0.1:9000", "[::1]:99", "[::1]"]),
    scheme=st.sampled_from(["http", "https"]),
    query=st.sampled_from(["", "?a=1&b=%20", "?"]),
)
def test_whatever_twilios_sdk_signs_is_accepted(
    fields: dict[str, list[str]], host: str, scheme: str, query: str
) -> None:
    url = f"{scheme}://{host}/webhooks/twilio/main{query}"
    pairs = MultiDict([(name, value) for name, values in fields.items() for value in values])
    signature = RequestValidator(TOKEN).compute_signature(url, pairs)
    assert refusal(webhook, form(signature, fields, url), account()) == ""


def test_a_get_request_is_signed_over_its_url_and_read_from_it() -> None:
    url = f"https://hooks.example.test/sms?{urlencode({'MessageSid': 'SM9', 'From': '+14155550123', 'Body': 'stop'})}"
    request = form(RequestValidator(TOKEN).compute_signature(url, {}), {}, url, "GET")
    webhook.verify(request, account())
    delivery = webhook.parse(request, account())
    assert (delivery.topic, delivery.id) == ("message.stop", "SM9")


@pytest.mark.parametrize(
    ("fields", "topic", "effect"),
    [
        ({"Body": "STOP"}, "message.stop", Effect(kind="withdrawn", channel="sms")),
        ({"Body": "nope", "OptOutType": "STOP"}, "message.stop", Effect(kind="withdrawn", channel="sms")),
        ({"Body": "stop texting me"}, "message.review", Effect(kind="manual_block", channel="sms")),
        ({"Body": "START"}, "message.start", None),
        ({"Body": "Info", "OptOutType": "HELP"}, "message.received", None),
        ({"Body": "Where is my order?"}, "message.received", None),
        ({}, "message.received", None),
        (
            {"MessageStatus": "undelivered", "ErrorCode": "21610"},
            "status.opted_out",
            Effect(kind="withdrawn", channel="sms"),
        ),
        ({"MessageStatus": "undelivered", "ErrorCode": "30003"}, "status", None),
        ({"MessageStatus": "delivered", "Body": "Reply STOP to opt out"}, "status", None),
    ],
)
def test_each_request_has_its_topic_and_effect(fields: dict[str, str], topic: str, effect: Effect | None) -> None:
    delivery = read(**fields)
    assert (delivery.topic, delivery.events[0].effect) == (topic, effect)


def test_a_status_is_about_the_recipient_and_each_status_is_an_act() -> None:
    sent, delivered = read(MessageStatus="sent"), read(MessageStatus="delivered")
    assert sent.events[0].identifiers == (Identifier("phone", "+18885550142"),)
    assert (sent.id, delivered.id) == ("SM1:sent", "SM1:delivered")


@pytest.mark.parametrize(
    ("sender", "more", "expected"),
    [
        ("whatsapp:+14155550123", {}, (Identifier("phone", "+14155550123"),)),
        ("whatsapp:US.ABC123XYZ", {}, (Identifier("external", "US.ABC123XYZ"),)),
        (
            "whatsapp:+14155550123",
            {"ExternalUserIdentifier": "US.ABC123XYZ"},
            (Identifier("phone", "+14155550123"), Identifier("external", "US.ABC123XYZ")),
        ),
    ],
)
def test_whatsapp_is_a_channel_of_its_own_and_its_users_need_no_phone(
    sender: str, more: dict[str, str], expected: tuple[Identifier, ...]
) -> None:
    [event] = read(From=sender, Body="STOP", **more).events
    assert event.effect == Effect(kind="withdrawn", channel="whatsapp")
    assert event.identifiers == expected


def test_a_call_is_nothing_we_know() -> None:
    delivery = webhook.parse(form("", CALL), account())
    assert (delivery.topic, delivery.events) == ("unknown", ())


def test_the_answer_sends_no_message() -> None:
    assert webhook.ACCEPTED.media_type == "text/xml"
    assert webhook.ACCEPTED.body == b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
