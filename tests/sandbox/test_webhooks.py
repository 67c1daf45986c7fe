"""Acts and the webhooks that follow them: order of events, signatures, retries, repeats, delays."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
import requests
from twilio.request_validator import RequestValidator

from sandbox import Sandbox
from sandbox.client import SandboxError
from sandbox.platforms.klaviyo.webhooks import sign as sign_klaviyo
from sandbox.platforms.shopify.acts import sign as sign_shopify
from sandbox.platforms.twilio.standin import sign as sign_twilio

from .conftest import Receiver


def test_shopify_signatures_match_the_published_vectors() -> None:
    assert sign_shopify("test_secret_key", b'{"foo": "bar"}') == "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g="
    body = (
        b'{"customer_id":706405506930370084,"email_address":"bob@example.com","email_marketing_consent":'
        b'{"state":"unsubscribed","opt_in_level":"single_opt_in","consent_updated_at":"2026-11-02T10:15:00Z"}}'
    )
    assert sign_shopify("shpss_test_secret", body) == "oPbuDUhpggQzfOoChDgyhiiYKX31EB91Qrkmcu2CvNE="


def test_twilio_signatures_match_the_published_vectors() -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    call = [
        ("CallSid", "CA1234567890ABCDE"), ("Caller", "+14158675309"), ("Digits", "1234"), ("From", "+14158675309"),
        ("To", "+18005551212"),
    ]  # fmt: skip
    assert sign_twilio("12345", url, call) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    repeated = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
    assert sign_twilio("12345", url, repeated) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


@pytest.mark.parametrize(
    ("stamp", "signature"),
    [
        ("Mon, 13 Apr 2026 22:50:12 GMT", "9d90f3ee8386c635ad42be7db149376cd138689e52389240e5a092c8805ed06e"),
        ("2026-04-13T22:50:12+00:00", "374b2cc95ad27c6c12fa5e3c90c3ceae73b8bc396985ed6bf159fad9a2a6870e"),
    ],
)
def test_klaviyo_signatures_match_the_computed_vectors(stamp: str, signature: str) -> None:
    body = (
        b'{"data":[{"topic":"event:klaviyo.unsubscribed_from_email_marketing","external_id":"73WCCK7JKtE","payload":'
        b'{"data":{"type":"event","id":"73WCCK7JKtE","attributes":{"timestamp":1776118606,"event_properties":'
        b'{"email_address":"foo@bar.com"}}}}}],"meta":{"klaviyo_webhook_id":"01KP4928STE8FKCWB6WDHZ4ZB7",'
        b'"klaviyo_account_id":"WBhXHN","timestamp":"2026-04-13T22:50:12.101159+00:00","version":"2024-06-28"}}'
    )
    assert sign_klaviyo("supersecretkey_1234567890", body, stamp) == signature


def test_a_stop_changes_the_platform_and_sends_a_form_that_the_sdk_validates(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    person = sandbox.people("lapsed_sms")[0]
    told = sandbox.act("sms_stop", person["person"])
    assert (told.status, told.platform) == (200, "twilio")
    assert told.ms > 0
    sent = receiver.received[0]
    fields = dict(parse_qsl(sent["body"].decode(), keep_blank_values=True))
    validator = RequestValidator(sandbox.credentials["twilio"]["auth_token"])
    assert sent["path"] == "/webhooks/twilio/main"
    assert validator.validate(receiver.url + sent["path"], fields, sent["headers"]["X-Twilio-Signature"])
    assert not validator.validate(receiver.url + "/elsewhere", fields, sent["headers"]["X-Twilio-Signature"])
    assert (fields["Body"], fields["OptOutType"], fields["From"]) == ("STOP", "STOP", person["phones"][0])
    assert fields["MessageSid"] == told.delivery_id
    assert person["phones"][0] in sandbox.members()["twilio"]["stopped"]


def test_a_webhook_is_signed_for_the_public_address(sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.settings(public_url="https://hooks.acme.example")
    sandbox.act("sms_text", sandbox.people("good_buyer")[0]["person"], body="Hello")
    sent = receiver.received[0]
    fields = dict(parse_qsl(sent["body"].decode(), keep_blank_values=True))
    validator = RequestValidator(sandbox.credentials["twilio"]["auth_token"])
    signature = sent["headers"]["X-Twilio-Signature"]
    assert validator.validate("https://hooks.acme.example/webhooks/twilio/main", fields, signature)
    assert "OptOutType" not in fields


def test_leaving_the_shops_mailing_sends_the_consent_topic(
    sandbox: Sandbox, receiver: Receiver, shopify: requests.Session
) -> None:
    person = sandbox.people("good_buyer")[0]
    row_id = person["records"]["shopify"][0]
    told = sandbox.act("email_unsubscribe", person["emails"][0])
    sent, secret = receiver.received[0], sandbox.credentials["shopify"]["client_secret"]
    digest = base64.b64encode(hmac.new(secret.encode(), sent["body"], hashlib.sha256).digest()).decode()
    assert sent["headers"]["X-Shopify-Hmac-SHA256"] == digest
    assert sent["headers"]["X-Shopify-Topic"] == "customers_email_marketing_consent/update"
    assert sent["headers"]["X-Shopify-Webhook-Id"] == told.delivery_id
    body = json.loads(sent["body"])
    assert (body["customer_id"], body["email_marketing_consent"]["state"]) == (int(row_id), "unsubscribed")
    row = shopify.get(f"{sandbox.urls['shopify']}/admin/api/2026-10/customers/{row_id}.json", timeout=5).json()
    assert row["customer"]["email_marketing_consent"] == body["email_marketing_consent"]


def test_an_unsubscribe_at_the_mailer_is_signed_over_body_and_timestamp(
    sandbox: Sandbox, receiver: Receiver, klaviyo: requests.Session
) -> None:
    person = sandbox.people("exactly_enough")[0]
    row_id = person["records"]["klaviyo"][0]
    told = sandbox.act("klaviyo_unsubscribe", f"klaviyo:{row_id}")
    sent, secret = receiver.received[0], sandbox.credentials["klaviyo"]["webhook_secret"]
    signed = sent["body"] + sent["headers"]["Klaviyo-Timestamp"].encode()
    assert sent["headers"]["Klaviyo-Signature"] == hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    body = json.loads(sent["body"])
    item = body["data"][0]
    assert item["topic"] == "event:klaviyo.unsubscribed_from_email_marketing"
    assert item["external_id"] == told.delivery_id == item["payload"]["data"]["id"]
    assert item["payload"]["data"]["relationships"]["profile"]["data"]["id"] == row_id
    assert abs(datetime.fromisoformat(body["meta"]["timestamp"]) - datetime.now(UTC)).total_seconds() < 5
    url = f"{sandbox.urls['klaviyo']}/api/profiles/{row_id}?additional-fields[profile]=subscriptions"
    row = klaviyo.get(url, timeout=5).json()["data"]["attributes"]["subscriptions"]["email"]["marketing"]
    assert (row["consent"], row["suppression"][0]["reason"]) == ("UNSUBSCRIBED", "UNSUBSCRIBE")


def test_an_order_enters_the_shop_the_truth_and_the_webhook(
    sandbox: Sandbox, receiver: Receiver, shopify: requests.Session
) -> None:
    person = sandbox.people("webinar_guest")[0]
    before = datetime.now(UTC)
    told = sandbox.act("order", person["person"], sku="VAPE-1001", total="39.90", tags="Age Verified")
    body = json.loads(receiver.received[0]["body"])
    assert (told.topic, body["total_price"], body["tags"]) == ("orders/create", "39.90", "Age Verified")
    url = f"{sandbox.urls['shopify']}/admin/api/2026-10/orders/{body['id']}.json"
    assert shopify.get(url, timeout=5).json()["order"] == body
    time.sleep(max(0.0, 1.1 - (datetime.now(UTC) - before).total_seconds()))
    assert person["person"] in sandbox.truth()["audiences"]["vape_buyers_of_age"]["people"]


def test_acts_show_in_the_truth_after_they_happened(sandbox: Sandbox, receiver: Receiver) -> None:
    person = sandbox.people("exactly_enough_abroad")[0]["person"]
    before = datetime.now(UTC)
    assert sandbox.truth(before)["audiences"]["high_spenders"]["people"][person]["in"]
    sandbox.act("klaviyo_unsubscribe", person)
    told = sandbox.truth(datetime.now(UTC))["audiences"]["high_spenders"]["people"][person]
    assert (told["in"], told["reason"]) == (False, "withdrawn")
    sandbox.act("email_double_opt_in", person)
    # Both may fall into one second, where the withdrawal wins; a second later the new consent stands.
    time.sleep(1.1)
    sandbox.act("email_double_opt_in", person)
    assert sandbox.truth(datetime.now(UTC))["audiences"]["high_spenders"]["people"][person]["in"]


def test_an_erasure_names_the_identifiers_for_the_last_time(sandbox: Sandbox, receiver: Receiver) -> None:
    person = sandbox.people("refunded")[0]
    sandbox.act("erase", person["person"])
    body = json.loads(receiver.received[0]["body"])
    assert receiver.received[0]["headers"]["X-Shopify-Topic"] == "customers/redact"
    assert body["customer"]["id"] == int(person["records"]["shopify"][0])
    assert body["customer"]["email"].strip().lower() == person["emails"][0]


def test_a_webhook_comes_twice_with_the_same_id(sandbox: Sandbox, receiver: Receiver) -> None:
    sandbox.misbehave("twilio", "duplicate_webhook")
    sandbox.act("sms_text", sandbox.people("good_buyer")[0]["person"], body="Hello")
    first, second = receiver.received
    assert first["body"] == second["body"]


def test_a_late_webhook_comes_after_the_platform_has_changed(sandbox: Sandbox, receiver: Receiver) -> None:
    person = sandbox.people("not_quite_enough")[0]
    sandbox.misbehave("twilio", "late_webhook", seconds=0.3)
    told = sandbox.act("sms_stop", person["person"])
    assert (told.status, told.late, receiver.received) == (None, 0.3, [])
    assert person["phones"][0] in sandbox.members()["twilio"]["stopped"]
    receiver.wait()
    assert len(receiver.received) == 1


def test_shopify_tries_again_until_it_is_taken(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.statuses = [503, 500, 200]
    told = sandbox.act("order", sandbox.people("good_buyer")[0]["person"])
    assert told.status == 503
    receiver.wait(3)
    assert len({sent["headers"]["X-Shopify-Webhook-Id"] for sent in receiver.received}) == 1
    tries = [sent for sent in sandbox.deliveries() if sent["delivery_id"] == told.delivery_id]
    assert [(sent["attempt"], sent["status"]) for sent in tries[:2]] == [(1, 503), (2, 500)]


def test_shopify_gives_up_after_eight_retries_and_deletes_the_subscription(
    sandbox: Sandbox, receiver: Receiver, shopify: requests.Session
) -> None:
    receiver.statuses = [500]
    url = f"{sandbox.urls['shopify']}/admin/api/2026-10/webhooks.json"
    hook = {"topic": "orders/create", "address": f"{receiver.url}/elsewhere", "format": "json"}
    assert shopify.post(url, json={"webhook": hook}, timeout=5).status_code == 201
    sandbox.settings(receiver=None)
    sandbox.act("order", sandbox.people("good_buyer")[0]["person"])
    receiver.wait(9)
    deadline = time.monotonic() + 2
    while shopify.get(url, timeout=5).json()["webhooks"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(receiver.received) == 9


def test_others_do_not_try_again(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.statuses = [500]
    told = sandbox.act("sms_text", sandbox.people("good_buyer")[0]["person"], body="Hello")
    time.sleep(0.1)
    assert told.status == 500
    assert len(receiver.received) == 1


def test_a_subscriber_at_the_mailer_gets_its_own_signature(
    sandbox: Sandbox, receiver: Receiver, klaviyo: requests.Session
) -> None:
    url, secret = f"{sandbox.urls['klaviyo']}/api/webhooks", "another-secret-0123456789"
    topic = {"type": "webhook-topic", "id": "event:api.webinar_registered"}
    attributes = {"name": "mine", "endpoint_url": f"{receiver.url}/mine", "secret_key": secret}
    body = {
        "data": {"type": "webhook", "attributes": attributes, "relationships": {"webhook-topics": {"data": [topic]}}}
    }
    made = klaviyo.post(url, json=body, timeout=5)
    assert made.status_code == 201
    sandbox.settings(receiver=None)
    sandbox.act("register", sandbox.people("good_buyer")[0]["person"])
    sent = receiver.received[0]
    assert sent["path"] == "/mine"
    assert sent["headers"]["Klaviyo-Webhook-Id"] == made.json()["data"]["id"]
    assert sent["headers"]["Klaviyo-Signature"] == sign_klaviyo(
        secret, sent["body"], sent["headers"]["Klaviyo-Timestamp"]
    )
    assert klaviyo.delete(f"{url}/{made.json()['data']['id']}", timeout=5).status_code == 204


def test_without_a_receiver_an_act_still_happens(sandbox: Sandbox) -> None:
    assert sandbox.act("sms_text", sandbox.people("good_buyer")[0]["person"], body="Hello").status is None


def test_nobody_answering_is_told(sandbox: Sandbox) -> None:
    sandbox.settings(receiver="http://127.0.0.1:9")
    told = sandbox.act("sms_text", sandbox.people("good_buyer")[0]["person"], body="Hello")
    sandbox.settings(receiver=None)
    assert told.status is None
    assert sandbox.deliveries()[-1]["error"] == "ConnectionError"


@pytest.mark.parametrize(("act", "who"), [("dance", "p0000001"), ("sms_stop", "nobody@example.com")])
def test_impossible_acts_are_refused(sandbox: Sandbox, act: str, who: str) -> None:
    with pytest.raises(SandboxError):
        sandbox.act(act, who)
