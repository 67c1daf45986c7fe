"""Opt-outs at HubSpot, which name nothing but a contact's id, reach the other platforms within the second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestration.activation.gate import Gate, GateRow
from orchestration.activation.keys import keyed_hash
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.landing.receiver import app
from sandbox.client import Sandbox
from sandbox.server import running
from tests.activation.places import add_member, members, wait_until
from tests.activation.test_speed_lane_end_to_end import configure, klaviyo_list, records, working
from tests.landing.senders import serving

House = tuple[Home, State, Sandbox]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    home = Home(tmp_path / "home")
    with (
        running(tmp_path / "sandbox", people=80, seed=3, unlimited=True, job_seconds=0.02) as sandbox,
        closing(State(home.state)) as state,
    ):
        configure(home, sandbox)
        with serving(app(home)) as port:
            sandbox.settings(receiver=f"http://127.0.0.1:{port}", public_url=f"http://127.0.0.1:{port}")
            with working(home, state):
                yield home, state, sandbox


def people(sandbox: Sandbox) -> list[dict[str, Any]]:
    """People who are contacts at HubSpot and profiles at Klaviyo under one e-mail."""
    found = [
        one
        for one in sandbox.people()
        if one["records"].get("hubspot") and one["records"].get("klaviyo") and len(one["emails"]) == 1
    ]
    assert len(found) > 5
    return found


def row(state: State, key: str) -> GateRow:
    keys = [keyed_hash(state.key, key)]
    return GateRow(row_id="row", channel="email", topic="news", audience="any", brand="acme", key_hashes=keys)


def test_an_opt_out_that_names_a_contact_removes_the_address_behind_it_everywhere(house: House) -> None:
    home, state, sandbox = house
    person = people(sandbox)[0]
    email = person["emails"][0].lower()
    [profile, *_] = records(person, "klaviyo")
    name = next(iter(sandbox.members()["klaviyo"]))
    klaviyo_list(sandbox, name, profile)
    listed = add_member(state, profile, f"email:{email}", audience=name)
    assert sandbox.act("hubspot_unsubscribe", person["person"]).status == 200
    assert Gate.of(home, state).blocked([row(state, f"email:{email}")], 1), "nobody is added until it is known whose"
    wait_until(lambda: members(state)[listed] == "removed")
    assert profile not in sandbox.members()["klaviyo"][name]
    wait_until(lambda: bool([call for call in sandbox.calls(platform="klaviyo") if "suppression" in call["path"]]))
    assert Gate.of(home, state).blocked([row(state, f"email:{email}")], 1) == {"row": "withdrawn"}
    stranger = row(state, "email:somebody-else@example.com")
    assert Gate.of(home, state).blocked([stranger], 1) == {}, "and once it is known, the others are free again"


def test_every_opt_out_of_a_batch_counts(house: House) -> None:
    home, state, sandbox = house
    some = people(sandbox)[:3]
    others = [one["person"] for one in some[1:]]
    assert sandbox.act("hubspot_batch", some[0]["person"], others=others).status == 200
    rows = [row(state, f"email:{one['emails'][0].lower()}") for one in some]
    gate = Gate.of(home, state)
    wait_until(lambda: [gate.blocked([one], 1) for one in rows] == [{"row": "withdrawn"}] * 3)


def test_a_privacy_deletion_blocks_the_record_on_every_channel(house: House) -> None:
    home, state, sandbox = house
    person = people(sandbox)[0]
    [contact, *_] = records(person, "hubspot")
    [profile, *_] = records(person, "klaviyo")
    name = next(iter(sandbox.members()["klaviyo"]))
    klaviyo_list(sandbox, name, profile)
    # The plan that added the member knew all records of the person.
    listed = add_member(state, profile, f"record:hubspot:main:{contact}", audience=name)
    assert sandbox.act("hubspot_privacy_deleted", person["person"]).status == 200
    wait_until(lambda: members(state)[listed] == "removed")
    assert profile not in sandbox.members()["klaviyo"][name]
    asked = row(state, f"record:hubspot:main:{contact}")
    assert Gate.of(home, state).blocked([asked], 1) == {"row": "erased"}
