"""Subscriptions where the platforms differ: plans, addresses that somebody else uses, settings that overrule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from dlt_sources import http, registry
from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError, NotOffered, SetAside, StopRun
from dlt_sources.subscriptions import Subscriptions
from sandbox import Sandbox, running

HOOKS = "https://hooks.example.test"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with running(tmp_path, people=20, seed=5, unlimited=True) as started:
        yield started


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads give up at the first failure."""
    monkeypatch.setattr(http, "_RETRIES", http._NO_RETRIES)


def of(name: str, sandbox: Sandbox, **settings: str) -> tuple[Subscriptions, Account]:
    known = {**sandbox.credentials[name], **sandbox.config[name], **settings}
    return registry.platform(name).subscriptions, Account(name, "main", "acme", "US", ("US",), known)


def test_klaviyo_without_its_plan_says_which_plan(sandbox: Sandbox) -> None:
    klaviyo, account = of("klaviyo", sandbox)
    sandbox.settings(klaviyo_plan="marketing")
    for asked in (klaviyo.listed, klaviyo.wanted):
        with pytest.raises(StopRun, match="Advanced KDP"):
            asked(account)


@pytest.mark.parametrize("secret", ["", "short"])
def test_klaviyo_signs_with_the_accounts_secret_so_there_must_be_one(sandbox: Sandbox, secret: str) -> None:
    klaviyo, account = of("klaviyo", sandbox, webhook_secret=secret)
    with pytest.raises(ConfigurationError, match="webhook_secret"):
        klaviyo.register(account, f"{HOOKS}/webhooks/klaviyo/main")
    assert list(klaviyo.listed(account)) == []


def test_klaviyo_makes_one_webhook_for_all_topics(sandbox: Sandbox) -> None:
    klaviyo, account = of("klaviyo", sandbox)
    assert set(klaviyo.wanted(account)) == {topic.topic for topic in registry.platform("klaviyo").topics}
    klaviyo.register(account, f"{HOOKS}/webhooks/klaviyo/main")
    [call] = sandbox.calls(platform="klaviyo", method="POST", path="/api/webhooks")
    assert call["status"] == 201


def test_a_klaviyo_webhook_made_by_hand_is_seen_as_far_as_klaviyo_shows_it(sandbox: Sandbox) -> None:
    klaviyo, account = of("klaviyo", sandbox)
    topic = klaviyo.wanted(account)[0]
    body = {
        "data": {
            "type": "webhook",
            "attributes": {"name": "by hand", "endpoint_url": f"{HOOKS}/other?key=1", "secret_key": "0123456789abcdef"},
            "relationships": {"webhook-topics": {"data": [{"type": "webhook-topic", "id": topic}]}},
        }
    }
    headers = {"Authorization": f"Klaviyo-API-Key {account['api_key']}", "revision": account["revision"]}
    made = requests.post(f"{sandbox.urls['klaviyo']}/api/webhooks", json=body, headers=headers, timeout=5)
    assert made.status_code == 201
    [shown] = klaviyo.listed(account)
    assert (shown.address, shown.whole, shown.topic) == (HOOKS, False, topic)
    assert shown.reaches(f"{HOOKS}/webhooks/klaviyo/main")
    assert not shown.reaches(f"{HOOKS}.evil.test/webhooks/klaviyo/main")
    assert topic in {one.topic for one in klaviyo.register(account, f"{HOOKS}/webhooks/klaviyo/main")}


def test_twilio_takes_nobodys_address_away(sandbox: Sandbox) -> None:
    twilio, account = of("twilio", sandbox)
    other = "https://somebody:secret@else.example.test/sms"
    service = f"{sandbox.urls['twilio']}/v1/Services/{account['messaging_service_sid']}"
    auth = (account["account_sid"], account["auth_token"])
    requests.post(service, data={"InboundRequestUrl": other}, auth=auth, timeout=5)
    with pytest.raises(SetAside, match=r"else\.example\.test") as raised:
        twilio.register(account, f"{HOOKS}/webhooks/twilio/main")
    assert "secret" not in str(raised.value)
    now = requests.get(service, auth=auth, timeout=5).json()
    assert (now["inbound_request_url"], now["status_callback"]) == (other, None)


def test_twilio_gives_a_number_without_a_service_its_address_in_place_of_the_demonstration(sandbox: Sandbox) -> None:
    twilio, account = of("twilio", sandbox, messaging_service_sid="")
    url = f"{HOOKS}/webhooks/twilio/main"
    assert list(twilio.listed(account)) == []
    assert [(one.topic, one.address) for one in twilio.register(account, url)] == [("sms_url", url)]
    assert [one.address for one in twilio.listed(account)] == [url]
    stranger = replace(account, settings={**account.settings, "from_number": "+15005550006"})
    with pytest.raises(SetAside, match="from_number"):
        twilio.listed(stranger)


def test_twilio_says_when_another_setting_overrules_the_address(sandbox: Sandbox) -> None:
    twilio, account = of("twilio", sandbox)
    url = f"{HOOKS}/webhooks/twilio/main"
    twilio.register(account, url)
    service = f"{sandbox.urls['twilio']}/v1/Services/{account['messaging_service_sid']}"
    auth = (account["account_sid"], account["auth_token"])
    requests.post(service, data={"UseInboundWebhookOnNumber": "true"}, auth=auth, timeout=5)
    shown = {one.topic: one for one in twilio.listed(account)}
    assert (shown["inbound_request_url"].active, shown["status_callback"].active) == (False, True)
    with pytest.raises(SetAside, match="use_inbound_webhook_on_number"):
        twilio.register(account, url)


def test_an_account_without_a_sender_is_told_to_name_one(sandbox: Sandbox) -> None:
    twilio, account = of("twilio", sandbox, messaging_service_sid="", from_number="")
    with pytest.raises(NotOffered, match="messaging_service_sid or from_number"):
        twilio.listed(account)


def test_hubspot_without_the_developers_key_says_what_to_do_by_hand(sandbox: Sandbox) -> None:
    hubspot, account = of("hubspot", sandbox, developer_api_key="")
    with pytest.raises(NotOffered, match=r"webhooks-hsmeta\.json"):
        hubspot.listed(account)


def test_hubspots_one_address_is_not_taken_from_another(sandbox: Sandbox) -> None:
    hubspot, account = of("hubspot", sandbox)
    hubspot.register(account, f"{HOOKS}/webhooks/hubspot/main")
    with pytest.raises(SetAside, match="one address"):
        hubspot.register(account, "https://elsewhere.example.test/webhooks/hubspot/main")
    assert {one.address for one in hubspot.listed(account)} == {f"{HOOKS}/webhooks/hubspot/main"}


def test_the_developers_key_is_in_no_error(sandbox: Sandbox) -> None:
    hubspot, account = of("hubspot", sandbox, developer_api_key="a-wrong-key-0123")
    with pytest.raises(StopRun) as raised:
        hubspot.listed(account)
    assert "a-wrong-key" not in str(raised.value)
    unreachable = replace(account, settings={**account.settings, "base_url": "http://127.0.0.1:9"})
    with pytest.raises(Exception, match="hubspot") as raised_too:
        hubspot.register(unreachable, f"{HOOKS}/webhooks/hubspot/main")
    assert "a-wrong-key" not in str(raised_too.value)


def test_shopifys_compliance_topics_are_left_to_the_apps_file(sandbox: Sandbox) -> None:
    shopify, account = of("shopify", sandbox)
    made = {one.topic for one in shopify.register(account, f"{HOOKS}/webhooks/shopify/main")}
    assert "orders/create" in made
    assert not made & {"customers/redact", "customers/data_request", "shop/redact"}
    assert "customers/redact" in shopify.BY_HAND
