"""Stand-ins, receiver, worker and real destinations together: from a person's act to everybody's lists."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from orchestration.activation.gate import Gate, GateRow
from orchestration.activation.keys import keyed_hash
from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.landing.files import Landing
from orchestration.landing.receiver import app
from sandbox.client import Sandbox
from sandbox.server import running
from tests.activation.places import add_member, ledger_rows, members, owed, wait_until
from tests.landing.senders import publish_catalogue, serving


@contextmanager
def working(home: Home, state: State) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=Worker.of(home, state).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)


def toml(value: Any) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    return "{" + ", ".join(f"{json.dumps(name)} = {json.dumps(inner)}" for name, inner in value.items()) + "}"


def configure(home: Home, sandbox: Sandbox) -> None:
    (home.folder / ".dlt").mkdir(parents=True)
    lines = []
    for platform in sandbox.urls:
        lines.append(f"[sources.{platform}.main]")
        values = {"brand": "acme", **sandbox.config[platform], **sandbox.credentials[platform]}
        lines += [f"{name} = {toml(value)}" for name, value in values.items()]
    (home.folder / ".dlt" / "config.toml").write_text("\n".join(lines))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Home, State, Sandbox]]:
    home = Home(tmp_path / "home")
    with running(tmp_path / "sandbox", people=60, seed=3, unlimited=True, job_seconds=0.02) as sandbox:
        configure(home, sandbox)
        state = State(home.state)
        with serving(app(home)) as port:
            receiver = f"http://127.0.0.1:{port}"
            sandbox.settings(receiver=receiver, public_url=receiver)
            with working(home, state):
                yield home, state, sandbox
        state.close()


def klaviyo_list(sandbox: Sandbox, name: str, profile: str) -> None:
    """Put a profile on a list of the Klaviyo stand-in, made if need be."""
    session = requests.Session()
    session.headers["Authorization"] = f"Klaviyo-API-Key {sandbox.credentials['klaviyo']['api_key']}"
    session.headers["revision"] = "2026-07-15"
    url = sandbox.urls["klaviyo"]
    found = session.get(f"{url}/api/lists", params={"filter": f'equals(name,"{name}")'}, timeout=10).json()["data"]
    body: dict[str, Any] = {"data": [{"type": "profile", "id": profile}]}
    answer = session.post(f"{url}/api/lists/{found[0]['id']}/relationships/profiles", json=body, timeout=10)
    answer.raise_for_status()


def buyer(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.people("good_buyer")[0]


def records(person: dict[str, Any], platform: str) -> list[str]:
    return [str(one) for one in person["records"][platform]]


def test_an_unsubscribe_at_one_platform_reaches_lists_tags_and_the_other_platforms(
    house: tuple[Home, State, Sandbox],
) -> None:
    home, state, sandbox = house
    person = buyer(sandbox)
    email = person["emails"][0]
    [profile, *_], [customer, *_] = records(person, "klaviyo"), records(person, "shopify")
    name = next(iter(sandbox.members()["klaviyo"]))
    klaviyo_list(sandbox, name, profile)
    listed = add_member(state, profile, f"email:{email.lower()}", audience=name)
    told = sandbox.act("klaviyo_unsubscribe", email)
    acknowledged = time.monotonic()
    assert told.status == 200
    key = keyed_hash(state.key, f"email:{email.lower()}")
    asked = GateRow(row_id="r", channel="email", topic="news", audience="other", brand="acme", key_hashes=[key])
    assert Gate.of(home, state).blocked([asked], 1) == {"r": "withdrawn"}
    wait_until(lambda: members(state)[listed] == "removed" and set(owed(state)) == {"done"})
    assert time.monotonic() - acknowledged < 5
    assert profile not in sandbox.members()["klaviyo"][name]
    consents = [call for call in sandbox.calls(platform="shopify") if "MarketingConsentUpdate" in str(call["body"])]
    assert any(customer in str(call["body"]) and "UNSUBSCRIBED" in str(call["body"]) for call in consents)


def test_a_withdrawal_comes_to_rest(house: tuple[Home, State, Sandbox]) -> None:
    """Each platform tells us of what we wrote there; that must not go round for ever."""
    _home, state, sandbox = house
    sandbox.act("klaviyo_unsubscribe", buyer(sandbox)["emails"][0])
    wait_until(lambda: len(owed(state)) > 0 and set(owed(state)) == {"done"})
    time.sleep(1.0)
    quiet = len(sandbox.calls())
    time.sleep(1.0)
    assert len(sandbox.calls()) == quiet
    assert len(ledger_rows(state)) <= 4


def test_a_stop_by_text_is_held_by_every_platform_that_holds_texts(house: tuple[Home, State, Sandbox]) -> None:
    _home, state, sandbox = house
    person = next(one for one in sandbox.people("good_buyer") if one["phones"])
    assert sandbox.act("sms_stop", person["person"]).status == 200
    wait_until(lambda: len(owed(state)) > 0 and set(owed(state)) == {"done"})
    called = {call["platform"] for call in sandbox.calls() if call["method"] == "POST"}
    assert called >= {"klaviyo", "shopify"}


def test_an_order_ends_a_membership_that_its_audience_leaves_on(house: tuple[Home, State, Sandbox]) -> None:
    home, state, sandbox = house
    person = buyer(sandbox)
    email = person["emails"][0]
    name = next(iter(sandbox.members()["klaviyo"]))
    [profile, *_] = records(person, "klaviyo")
    klaviyo_list(sandbox, name, profile)
    publish_catalogue(home, leave_on=("order_placed",), name=name)
    listed = add_member(state, profile, f"email:{email.lower()}", audience=name)
    assert sandbox.act("order", person["person"]).status == 200
    wait_until(lambda: members(state)[listed] == "removed")
    assert profile not in sandbox.members()["klaviyo"][name]


def test_the_receiver_keeps_what_a_busy_platform_sends_twice(house: tuple[Home, State, Sandbox]) -> None:
    home, state, sandbox = house
    sandbox.misbehave("twilio", "duplicate_webhook")
    person = next(one for one in sandbox.people("good_buyer") if one["phones"])
    sandbox.act("sms_stop", person["person"])
    wait_until(lambda: Landing(home.landing).count("speed", "settled") >= 1 and len(ledger_rows(state)) >= 1)
    assert len([row for row in ledger_rows(state) if row["platform"] == "twilio"]) == 1
