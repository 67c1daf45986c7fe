"""`audiences webhooks list`, `register` and `check`, against the stand-ins and a receiver."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from typer.testing import CliRunner, Result

from dlt_sources import registry
from dlt_sources.errors import ConfigurationError
from orchestration.cli import app
from orchestration.demo_shop import write_configuration
from orchestration.home import Home
from orchestration.landing import receiver
from sandbox import Sandbox, running
from tests.landing.senders import serving

HOOKS = "https://hooks.example.test"
LISTENING = {platform.name for platform in registry.all_platforms() if platform.has("webhook")}
REGISTERED = {platform.name for platform in registry.all_platforms() if platform.has("subscriptions")}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("AUDIENCES_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RECEIVER__PUBLIC_URL", raising=False)
    return Home(tmp_path / "home")


@pytest.fixture
def sandbox(tmp_path: Path, home: Home) -> Iterator[Sandbox]:
    with running(tmp_path / "sandbox", people=20, seed=5, unlimited=True) as started:
        described = {"urls": started.urls, "credentials": started.credentials, "config": started.config}
        write_configuration(home, described, HOOKS)
        yield started


Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    return lambda *arguments: CliRunner().invoke(app, ["webhooks", *arguments])


def answered(result: Result) -> Any:
    return {one["account"].partition(":")[0]: one for one in json.loads(result.stdout)}


def test_what_lacks_is_named_registered_and_then_in_order(sandbox: Sandbox, run: Run) -> None:
    before = run("check", "--json")
    assert before.exit_code == 1
    for name, one in answered(before).items():
        assert bool(one["missing"]) == (name in REGISTERED), one
        if one["missing"]:
            assert f"run `audiences webhooks register {name}:main`" in one["problems"][0]
    made = run("register", "--json")
    assert made.exit_code == 0
    assert all(one["subscriptions"] for name, one in answered(made).items() if name in REGISTERED)
    assert all(one["by_hand"] for name, one in answered(made).items() if name not in REGISTERED)
    after = run("check", "--json")
    assert (after.exit_code, [one["problems"] for one in answered(after).values()]) == (0, [[]] * len(LISTENING))
    assert all(not one["subscriptions"] for one in answered(run("register", "--json")).values())


def test_one_account_is_registered_alone_and_listed(sandbox: Sandbox, run: Run) -> None:
    assert run("register", "shopify:main").exit_code == 0
    listed = answered(run("list", "--json"))
    assert {one["address"] for one in listed["shopify"]["subscriptions"]} == {f"{HOOKS}/webhooks/shopify/main"}
    assert not listed["klaviyo"]["subscriptions"]
    told = run("list")
    assert "orders/create" in told.stdout
    assert "shopify.app.toml" in told.stdout.replace("\n", " ")


def test_a_subscription_that_goes_missing_is_found(sandbox: Sandbox, run: Run) -> None:
    run("register")
    base, token = sandbox.urls["shopify"], sandbox.credentials["shopify"]["access_token"]
    url, headers = f"{base}/admin/api/2026-10/webhooks", {"X-Shopify-Access-Token": token}
    hooks = requests.get(f"{url}.json", headers=headers, timeout=5).json()["webhooks"]
    [gone] = [hook["id"] for hook in hooks if hook["topic"] == "orders/create"]
    requests.delete(f"{url}/{gone}.json", headers=headers, timeout=5)
    told = run("check", "--json")
    assert told.exit_code == 1
    assert {name: one["missing"] for name, one in answered(told).items() if one["missing"]} == {
        "shopify": ["orders/create"]
    }
    assert run("check", "klaviyo:main").exit_code == 0


def test_a_paused_subscription_is_told_and_left_alone(sandbox: Sandbox, run: Run) -> None:
    run("register", "hubspot:main")
    settings = {**sandbox.credentials["hubspot"], **sandbox.config["hubspot"]}
    url = f"{sandbox.urls['hubspot']}/webhooks/v3/{settings['app_id']}/subscriptions"
    key = {"hapikey": settings["developer_api_key"]}
    [deletion] = [
        one["id"]
        for one in requests.get(url, params=key, timeout=5).json()["results"]
        if one["eventType"] == "contact.deletion"
    ]
    requests.patch(f"{url}/{deletion}", params=key, json={"active": False}, timeout=5)
    for _ in range(2):
        told = run("check", "hubspot:main", "--json")
        assert (told.exit_code, answered(told)["hubspot"]["inactive"]) == (1, ["contact.deletion"])
        assert "Switch them on there" in answered(told)["hubspot"]["problems"][0]
        run("register", "hubspot:main")


def test_a_platform_that_refuses_says_so_and_the_others_are_checked(sandbox: Sandbox, run: Run) -> None:
    sandbox.settings(klaviyo_plan="marketing")
    made = run("register", "--json")
    assert made.exit_code == 1
    assert "Advanced KDP" in answered(made)["klaviyo"]["trouble"]
    assert answered(made)["shopify"]["subscriptions"]
    told = answered(run("check", "--json"))
    assert "Advanced KDP" in told["klaviyo"]["problems"][0]
    assert told["shopify"]["problems"] == []


def test_what_is_looked_after_elsewhere_is_not_missing(
    sandbox: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.settings(klaviyo_plan="marketing")
    monkeypatch.setenv("SOURCES__KLAVIYO__MAIN__WEBHOOKS", "by hand")
    monkeypatch.setenv("SOURCES__SHOPIFY__MAIN__WEBHOOKS", "by hand")
    told = run("check", "klaviyo:main", "shopify:main", "--json")
    assert (told.exit_code, [one["listed"] for one in answered(told).values()]) == (0, [False, False])
    assert run("register", "klaviyo:main", "shopify:main").exit_code == 0
    monkeypatch.delenv("SOURCES__SHOPIFY__MAIN__WEBHOOKS")
    assert answered(run("list", "--json"))["shopify"]["subscriptions"] == []
    told = run("check", "shopify:main")
    assert 'webhooks = "by hand" under [sources.shopify.main]' in " ".join(told.output.split())


def test_another_tools_address_is_shown_without_its_secrets(sandbox: Sandbox, run: Run) -> None:
    settings = {**sandbox.credentials["twilio"], **sandbox.config["twilio"]}
    requests.post(
        f"{sandbox.urls['twilio']}/v1/Services/{settings['messaging_service_sid']}",
        data={"InboundRequestUrl": "https://bot:hunter2@else.example.test/sms?key=s3cr3t"},
        auth=(settings["account_sid"], settings["auth_token"]),
        timeout=5,
    )
    for command in ("list", "check", "register"):
        for output in ((), ("--json",)):
            told = run(command, "twilio:main", *output)
            assert "hunter2" not in told.output
            assert "s3cr3t" not in told.output
    assert "else.example.test" in run("list", "twilio:main").output


def test_what_came_and_what_fell_silent_is_part_of_the_check(
    sandbox: Sandbox, home: Home, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("register")
    person = next(one["person"] for one in sandbox.people() if one["phones"])
    with serving(receiver.app(home)) as port:
        sandbox.settings(receiver=f"http://127.0.0.1:{port}", public_url=HOOKS)
        assert sandbox.act("sms_text", person, body="Hello").status == 200
    told = answered(run("check", "--json"))["twilio"]
    assert (told["arrived"], list(told["newest"])) == (1, ["message.received"])
    monkeypatch.setenv("SOURCES__TWILIO__MAIN__SILENT_AFTER_HOURS", "1")
    [book] = (home.landing / "arrivals").iterdir()
    rows = json.loads(book.read_text())
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    book.write_text(json.dumps([{**row, "first": long_ago.timestamp(), "last": long_ago.timestamp()} for row in rows]))
    silent = run("check", "--json")
    assert silent.exit_code == 1
    assert answered(silent)["twilio"]["problems"][0].startswith("silent: nothing for 2 hours")


def test_names_and_addresses_that_are_not_there_are_asked_for(sandbox: Sandbox, home: Home, run: Run) -> None:
    assert isinstance(run("check", "shopify:second").exception, ConfigurationError)
    config = home.folder / ".dlt" / "config.toml"
    config.write_text(config.read_text().replace(f'public_url = "{HOOKS}"', ""))
    refused = run("register").exception
    assert isinstance(refused, ConfigurationError)
    assert "public_url under [receiver]" in str(refused)
    assert run("register", "shopify:main", "--url", f"{HOOKS}/").exit_code == 0
    assert {one["address"] for one in answered(run("list", "--json"))["shopify"]["subscriptions"]} == {
        f"{HOOKS}/webhooks/shopify/main"
    }
