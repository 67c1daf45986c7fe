"""Webhook subscriptions as Klaviyo's and Twilio's own SDKs make them, and where webhooks then go."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from klaviyo_api import KlaviyoAPI
from openapi_client.api_arg_options import USE_DICTIONARY_FOR_RESPONSE_DATA
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from sandbox import Sandbox
from sandbox.platforms.twilio.addresses import DEMO_REPLY

from .conftest import Receiver

SECRET = "chosen-by-the-shop-0123"
UNSUBSCRIBED = "event:klaviyo.unsubscribed_from_email_marketing"


@pytest.fixture
def mailer(sandbox: Sandbox) -> KlaviyoAPI:
    return KlaviyoAPI(
        sandbox.credentials["klaviyo"]["api_key"], max_delay=1, max_retries=1, test_host=sandbox.urls["klaviyo"],
        options={USE_DICTIONARY_FOR_RESPONSE_DATA: True},
    )  # fmt: skip


@pytest.fixture
def texts(sandbox: Sandbox) -> Client:
    known = sandbox.credentials["twilio"]
    client = Client(known["account_sid"], known["auth_token"])
    for domain in (client.api, client.messaging):
        domain.base_url = sandbox.urls["twilio"]
    return client


def webhook(url: str, *topics: str) -> dict[str, Any]:
    return {
        "data": {
            "type": "webhook",
            "attributes": {"name": "mine", "description": "ours", "endpoint_url": url, "secret_key": SECRET},
            "relationships": {"webhook-topics": {"data": [{"type": "webhook-topic", "id": topic} for topic in topics]}},
        }
    }


def test_a_webhook_of_the_mailer_shows_its_host_only_and_its_topics_when_asked(mailer: KlaviyoAPI) -> None:
    made = mailer.Webhooks.create_webhook(webhook("https://hooks.example/webhooks/k?key=1", UNSUBSCRIBED))
    row_id = made["data"]["id"]
    assert made["data"]["attributes"]["endpoint_url"] == "https://hooks.example"
    bare = mailer.Webhooks.get_webhooks()["data"][0]["relationships"]["webhook-topics"]
    assert "data" not in bare
    listed = mailer.Webhooks.get_webhooks(include=["webhook-topics"])
    assert listed["data"][0]["relationships"]["webhook-topics"]["data"] == [
        {"type": "webhook-topic", "id": UNSUBSCRIBED}
    ]
    assert [topic["id"] for topic in listed["included"]] == [UNSUBSCRIBED]
    assert SECRET not in str(listed)
    changed = {"data": {"type": "webhook", "id": row_id, "attributes": {"enabled": False}}}
    assert mailer.Webhooks.update_webhook(row_id, changed)["data"]["attributes"]["enabled"] is False
    mailer.Webhooks.delete_webhook(row_id)
    assert mailer.Webhooks.get_webhooks()["data"] == []


def test_a_disabled_webhook_of_the_mailer_gets_nothing(
    sandbox: Sandbox, mailer: KlaviyoAPI, receiver: Receiver
) -> None:
    sandbox.settings(receiver=None)
    row_id = mailer.Webhooks.create_webhook(webhook(f"{receiver.url}/mine", UNSUBSCRIBED))["data"]["id"]
    person = sandbox.people("good_buyer")[0]["person"]
    sandbox.act("klaviyo_unsubscribe", person)
    [sent] = receiver.received
    signed = sent["body"] + sent["headers"]["Klaviyo-Timestamp"].encode()
    assert sent["headers"]["Klaviyo-Signature"] == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    mailer.Webhooks.update_webhook(
        row_id, {"data": {"type": "webhook", "id": row_id, "attributes": {"enabled": False}}}
    )
    sandbox.act("klaviyo_unsubscribe", person)
    assert len(receiver.received) == 1
    mailer.Webhooks.delete_webhook(row_id)


def test_without_advanced_kdp_the_mailer_refuses_its_webhooks_api(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    sandbox.settings(klaviyo_plan="marketing")
    try:
        told = klaviyo.get(f"{sandbox.urls['klaviyo']}/api/webhooks", timeout=5)
    finally:
        sandbox.settings(klaviyo_plan="advanced_kdp")
    assert (told.status_code, told.json()["errors"][0]["code"]) == (403, "permission_denied")


def test_a_number_sends_to_its_own_address_only_where_its_service_says_so(
    sandbox: Sandbox, texts: Client, receiver: Receiver
) -> None:
    sandbox.settings(receiver=None)
    [number] = texts.incoming_phone_numbers.list(phone_number=sandbox.config["twilio"]["from_number"])
    service = texts.messaging.v1.services(sandbox.config["twilio"]["messaging_service_sid"])
    assert (number.sms_url, service.fetch().inbound_request_url) == (DEMO_REPLY, None)
    number.update(sms_url=f"{receiver.url}/number", sms_method="POST")
    person = sandbox.people("good_buyer")[0]["person"]
    assert sandbox.act("sms_text", person, body="Hello").status is None
    service.update(inbound_request_url=f"{receiver.url}/service", status_callback=f"{receiver.url}/status")
    sandbox.act("sms_text", person, body="Hello")
    service.update(use_inbound_webhook_on_number=True)
    sandbox.act("sms_text", person, body="Hello")
    assert [sent["path"] for sent in receiver.received] == ["/service", "/number"]
    number.update(sms_url=DEMO_REPLY)
    service.update(inbound_request_url="", status_callback="", use_inbound_webhook_on_number=False)


def test_wrong_addresses_are_refused(sandbox: Sandbox, texts: Client) -> None:
    service = texts.messaging.v1.services(sandbox.config["twilio"]["messaging_service_sid"])
    with pytest.raises(TwilioRestException) as raised:
        service.update(inbound_request_url="hooks.example/sms")
    assert raised.value.code == 21502
    with pytest.raises(TwilioRestException):
        texts.messaging.v1.services("MG" + "0" * 32).fetch()


def test_a_text_is_signed_for_the_registered_address(sandbox: Sandbox, texts: Client, receiver: Receiver) -> None:
    """With the receiver behind its public address, a subscription for that address is delivered once."""
    sandbox.settings(public_url="https://hooks.acme.example")
    service = texts.messaging.v1.services(sandbox.config["twilio"]["messaging_service_sid"])
    address = "https://hooks.acme.example/webhooks/twilio/main"
    service.update(inbound_request_url=address)
    sandbox.act("sms_text", sandbox.people("good_buyer")[0]["person"], body="Hello")
    service.update(inbound_request_url="")
    [sent] = receiver.received
    validator = RequestValidator(sandbox.credentials["twilio"]["auth_token"])
    decoded = dict(parse_qsl(sent["body"].decode(), keep_blank_values=True))
    assert validator.validate(address, decoded, sent["headers"]["X-Twilio-Signature"])
