"""A Zapier-like GET takes a buyer out of the webinar follow-up: receiver, speed lane and stand-ins together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestration.activation import webhook_tokens
from orchestration.activation.gate import Gate, GateRow
from orchestration.activation.keys import keyed_hash
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.landing.files import Landing, read
from orchestration.landing.receiver import app
from sandbox.client import Sandbox
from sandbox.server import running
from tests.activation.places import add_member, members, wait_until
from tests.activation.test_speed_lane_end_to_end import configure, klaviyo_list, records, working
from tests.landing.senders import publish_catalogue, serving

LIST = "Webinar follow-up"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Home, State, Sandbox, str]]:
    home = Home(tmp_path / "home")
    with (
        running(tmp_path / "sandbox", people=80, seed=3, unlimited=True, job_seconds=0.02) as sandbox,
        closing(State(home.state)) as state,
    ):
        configure(home, sandbox)
        publish_catalogue(home, leave_on=("order_placed", "tag:buyer"), name="webinar_follow_up")
        token = webhook_tokens.make(state, "aevent:main", ["Buyer"], "Zapier")
        with serving(app(home)) as port:
            sandbox.settings(receiver=f"http://127.0.0.1:{port}", public_url=f"http://127.0.0.1:{port}")
            with working(home, state):
                yield home, state, sandbox, token


def registrant(sandbox: Sandbox) -> dict[str, Any]:
    """Somebody who registered for a webinar and has a profile at Klaviyo."""
    people = [one for one in sandbox.people() if one["registrant_id"] and one["emails"]]
    return next(one for one in people if one["records"].get("klaviyo"))


@pytest.mark.parametrize("by", ["email", "r"])
def test_a_get_takes_a_buyer_out_of_the_follow_up(house: tuple[Home, State, Sandbox, str], by: str) -> None:
    home, state, sandbox, token = house
    person = registrant(sandbox)
    key = {"email": f"email:{person['emails'][0].lower()}", "r": f"external:aevent:main:{person['registrant_id']}"}[by]
    [profile, *_] = records(person, "klaviyo")
    klaviyo_list(sandbox, LIST, profile)
    listed = add_member(state, profile, key, audience="webinar_follow_up")
    # The target that the membership remembers is the list's name at Klaviyo.
    with state.write_deliveries() as connection:
        connection.exec_driver_sql(f"UPDATE memberships SET target = 'list:{LIST}'")
    told = sandbox.act("tag", person["person"], wtl=token, by=by, value="Buyer")
    acknowledged = time.monotonic()
    assert told.status == 200
    asked = GateRow(
        row_id="row",
        channel="email",
        topic="news",
        audience="webinar_follow_up",
        brand="acme",
        key_hashes=[keyed_hash(state.key, key)],
    )
    other = GateRow(
        row_id="other", channel="email", topic="news", audience="a", brand="acme", key_hashes=asked.key_hashes
    )
    assert Gate.of(home, state).blocked([asked, other], 1) == {"row": "left"}
    wait_until(lambda: members(state)[listed] == "removed")
    assert time.monotonic() - acknowledged < 5
    assert profile not in sandbox.members()["klaviyo"][LIST]
    # A tag takes a person out of this audience and withdraws nothing.
    withdrawals = [call for call in sandbox.calls(platform="klaviyo") if "suppress" in call["path"]]
    assert withdrawals == []


def test_the_token_is_nowhere_but_in_the_url(house: tuple[Home, State, Sandbox, str]) -> None:
    home, _, sandbox, token = house
    assert sandbox.act("tag", registrant(sandbox)["person"], wtl=token, by="r").status == 200
    assert sandbox.act("tag", registrant(sandbox)["person"], wtl=token, by="email", value="Nope").status == 400
    landing = Landing(home.landing)
    wait_until(lambda: landing.count("speed", "settled") == 1)
    [one] = [one for path in landing.waiting("speed", "settled") for one in read(path)]
    assert "r=" in one.url
    for path in home.data.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
