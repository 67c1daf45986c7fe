"""Runs that meet trouble: killed while they push, then fed with rubbish; the next healthy run makes everything right.

One chain of three runs, since each takes half a minute: killed, ill-fed, healthy.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from dagster import AssetCheckKey, AssetKey, DagsterInstance

from tests.end_to_end.shop import PATIENCE, House, Members, Ran, house

# Whole runs: half a minute each on two quiet cores, minutes on a busy machine.
pytestmark = pytest.mark.timeout(1200)

FULL = 1000  # more faults than a run can use up
#: Objects whose pull is answered badly, with the fault. Those that are tried again wait beside each other.
RUBBISH = {
    ("klaviyo", "metrics"): "html",
    ("klaviyo", "events"): "500",
    ("shopify", "customers"): "truncated",
}
HEALTHY = [("klaviyo", "profiles"), ("shopify", "orders"), ("twilio", "messages")]


@dataclass(frozen=True)
class Story:
    """What happened: members after the kill, the person who then left, the ill-fed and the healthy run."""

    house: House
    after_kill: Members
    leaver: Mapping[str, frozenset[str]]
    left: list[tuple[str, str]]
    ill_fed: Ran
    answered: Mapping[tuple[str, str], bool]
    healthy: Ran


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with house(tmp_path_factory.mktemp("house"), people=150) as shop:
        after_kill = killed_while_pushing(shop)
        leaver, left = somebody_leaves(shop, after_kill)
        for (platform, name), fault in RUBBISH.items():
            shop.sandbox.misbehave(platform, fault, FULL, path=path_of(platform, name), method="GET")
        ill_fed = shop.run()
        answered = checks(shop)
        shop.sandbox.behave()
        yield Story(shop, after_kill, leaver, left, ill_fed, answered, shop.run())


def killed_while_pushing(shop: House) -> Members:
    """Start the first run and kill it when it is in the middle of its third audience; who is a member then."""
    shop.sandbox.misbehave("shopify", "slow", FULL, method="POST", seconds=0.5)
    process = shop.start()
    deadline = time.monotonic() + PATIENCE
    try:
        while not shop.members()["shopify", "recent_buyers"]:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline, "the run pushed nothing"
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    shop.sandbox.behave()
    time.sleep(1)  # jobs that the vendor has taken over end without us
    return shop.members()


def somebody_leaves(shop: House, members: Members) -> tuple[Mapping[str, frozenset[str]], list[tuple[str, str]]]:
    """Let a member at both platforms unsubscribe where no webhook tells us; their records, and where they were."""
    for record in sorted(members["klaviyo", "recent_buyers"]):
        records = shop.records(f"klaviyo:{record}")
        places = [place for place, held in members.items() if held & records.get(place[0], frozenset())]
        email = [place for place in places if place[1] != "lapsed_customers"]
        if {platform for platform, _ in email} == {"klaviyo", "shopify"}:
            shop.sandbox.act("klaviyo_unsubscribe", f"klaviyo:{record}")
            return records, email
    raise AssertionError("nobody is a member at both platforms")


def path_of(platform: str, name: str) -> str:
    """Where the platform lists an object."""
    return {"shopify": f"/admin/api/2026-10/{name}.json", "klaviyo": f"/api/{name}"}[platform]


def checks(shop: House) -> dict[tuple[str, str], bool]:
    """How the check `source_answered` of each object ended last, as Dagster shows it."""
    found: dict[tuple[str, str], bool] = {}
    with DagsterInstance.from_config(str(shop.home.data / "dagster")) as instance:
        for platform, name in [*RUBBISH, *HEALTHY]:
            key = AssetCheckKey(AssetKey(["raw", platform, name]), "source_answered")
            [newest] = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
            assert newest.event is not None
            evaluation = newest.event.dagster_event
            assert evaluation is not None
            found[platform, name] = evaluation.asset_check_evaluation_data.passed
    return found


def test_the_kill_found_a_push_half_done(story: Story) -> None:
    held = sum(map(len, story.after_kill.values()))
    assert 0 < held < sum(map(len, story.healthy.members.values()))


def test_a_run_that_is_fed_rubbish_ends_and_says_which_objects_were_bad(story: Story) -> None:
    assert (story.ill_fed.code, story.ill_fed.failures) == (0, [])
    assert story.answered == dict.fromkeys(RUBBISH, False) | dict.fromkeys(HEALTHY, True)
    assert "metrics: HTTP 502" in story.ill_fed.stations["pull Klaviyo"]["note"]
    assert "customers: HTTP 200: not JSON" in story.ill_fed.stations["pull Shopify"]["note"]
    assert "events: HTTP 500" in story.ill_fed.stations["pull Klaviyo"]["note"]


def test_nobody_is_added_while_a_source_does_not_answer(story: Story) -> None:
    added = {place: held - story.after_kill[place] for place, held in story.ill_fed.members.items()}
    assert {place: records for place, records in added.items() if records} == {}


def test_removals_go_while_other_sources_do_not_answer(story: Story) -> None:
    assert story.left
    for platform, audience in story.left:
        assert not story.ill_fed.members[platform, audience] & story.leaver[platform]


def test_the_next_healthy_run_leaves_nobody_wrongly_in_or_out(story: Story) -> None:
    assert (story.healthy.code, story.healthy.failures) == (0, [])
    assert story.healthy.members == story.house.expected(story.house.as_of())
    assert all(story.healthy.members.values()), "an audience without members proves nothing"


def test_whoever_left_in_between_is_still_out(story: Story) -> None:
    assert story.left
    for platform, audience in story.left:
        assert not story.healthy.members[platform, audience] & story.leaver[platform]
