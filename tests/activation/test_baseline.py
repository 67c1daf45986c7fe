"""State is lost or old: what the destinations hold becomes what state knows, and everybody ends where they belong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select, update

from dlt_sources.platform import Destination
from orchestration.activation import approvals, baseline
from orchestration.activation.catalogue import write
from orchestration.activation.state import State, memberships
from tests.activation.shop import MAILER, Shop, forbidden

TARGET = "list:Buyers"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Six people are members; they were pushed, and the build was published."""
    shop = Shop(tmp_path)
    shop.audience(traits={"spent": "spent"})
    shop.build({"buyers": range(6)})
    shop.plan()
    shop.apply()
    shop.publish()
    assert shop.on(TARGET) == set(range(6))
    shop.mailer.log.clear()
    return shop


def lose_deliveries(shop: Shop) -> None:
    shop.state.close()
    for path in shop.home.state.glob("deliveries.db*"):
        path.unlink()
    shop.state = State.of(shop.home)


def test_lost_deliveries_are_noticed_and_every_published_place_owes_a_baseline(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    lose_deliveries(shop)
    [owed] = baseline.due(shop.state)
    assert (owed.audience, owed.platform, owed.account, owed.target) == ("buyers", "mailer", "main", TARGET)
    assert "The deliveries store was lost" in caplog.text
    assert shop.state.lost == ()
    caplog.clear()
    State.of(shop.home).close()
    assert caplog.text == "", "it is told once"


def test_a_first_start_and_another_start_are_no_loss(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    assert shop.state.lost == ()
    assert State.of(shop.home).lost == ()
    assert baseline.due(shop.state) == []


def test_after_a_loss_nobody_is_added_twice_and_nobody_who_should_stay_is_removed(shop: Shop) -> None:
    lose_deliveries(shop)
    shop.build({"buyers": range(6)})
    [taken] = shop.take_baselines()
    assert (taken.adopted, taken.missing, taken.unknown) == (6, 0, 0)
    planned = shop.plan()
    assert (planned["buyers"].adds, planned["buyers"].removes, planned["removals"].removes) == (0, 0, 0)
    assert planned["buyers"].updates == 6, "which traits they carry is not known"
    approvals.approve(shop.state, MAILER.key, "jo", "the figures are those of yesterday")
    shop.apply()
    assert shop.on(TARGET) == set(range(6))
    assert shop.plan()["buyers"].status == "nothing"


def test_after_a_loss_whoever_must_go_is_removed_without_an_approval(shop: Shop) -> None:
    lose_deliveries(shop)
    shop.build({"buyers": [1, 2, 3, 4, 5]}, refused={0: "withdrawn"})
    shop.take_baselines()
    planned = shop.plan()
    assert (planned["removals"].status, planned["removals"].removes) == ("ready", 1)
    assert planned["buyers"].status == "held"
    shop.apply()
    assert shop.on(TARGET) == {1, 2, 3, 4, 5}


def test_somebody_who_opts_out_after_the_baseline_is_found_by_every_key(shop: Shop) -> None:
    """The speed lane works from the keys in state: a baseline must bring them along."""
    from orchestration.activation.keys import keyed_hash
    from orchestration.activation.state import membership_keys

    lose_deliveries(shop)
    shop.build({"buyers": range(6)}, extra_keys={2: ["email:old@example.com"]})
    shop.take_baselines()
    wanted = keyed_hash(shop.state.key, "email:old@example.com")
    with shop.state.deliveries.connect() as connection:
        joined = select(memberships.c.record_id).join(membership_keys).where(membership_keys.c.key_hash == wanted)
        assert connection.execute(joined).scalars().all() == ["r2"]


def test_records_that_no_pull_has_brought_stay_as_they_are(shop: Shop) -> None:
    shop.mailer.members[TARGET]["r99"] = {}
    lose_deliveries(shop)
    shop.build({"buyers": range(6)})
    [taken] = shop.take_baselines()
    assert (taken.adopted, taken.unknown) == (6, 1)
    shop.plan()
    approvals.approve(shop.state, MAILER.key, "jo", "fine")
    shop.apply()
    assert shop.on(TARGET) == {*range(6), 99}


def test_a_place_that_does_not_answer_waits_and_is_asked_again(shop: Shop) -> None:
    lose_deliveries(shop)
    approvals.approve(shop.state, MAILER.key, "jo", "fine")
    shop.build({"buyers": range(6)})
    shop.mailer.next = [forbidden()]
    [taken] = shop.take_baselines()
    assert "could not be read back" in str(taken)
    planned = shop.plan()["buyers"]
    assert planned.status == "held"
    assert planned.held_because[0].startswith("no_baseline: ")
    shop.take_baselines()
    assert (shop.plan()["buyers"].status, shop.plan()["buyers"].adds) == ("ready", 0)


def test_a_place_that_cannot_be_asked_holds_nothing_for_ever(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(shop.mailer), "read_back", Destination.read_back)
    lose_deliveries(shop)
    shop.build({"buyers": range(6)})
    [taken] = shop.take_baselines()
    assert "look there" in str(taken)
    assert baseline.due(shop.state) == []


def test_an_old_state_learns_who_was_added_and_who_was_removed_since(shop: Shop) -> None:
    """As after restoring a backup: 6 and 7 came and 0 went after it was made."""
    baseline.mark(shop.state, shop.catalogue, "restored from a backup")
    shop.mailer.members[TARGET] |= {"r6": {}, "r7": {}}
    del shop.mailer.members[TARGET]["r0"]
    shop.build({"buyers": range(1, 8)}, refused={7: "withdrawn"})
    [taken] = shop.take_baselines()
    assert (taken.adopted, taken.missing) == (7, 1)
    planned = shop.plan()
    assert (planned["buyers"].adds, planned["removals"].removes) == (0, 1)
    shop.apply()
    assert shop.on(TARGET) == set(range(1, 7))


def test_what_happens_while_members_are_read_back_is_left_as_it_is(shop: Shop) -> None:
    baseline.mark(shop.state, shop.catalogue, "restored from a backup")
    found = baseline.read_back(baseline.due(shop.state), lambda key: shop.mailer)
    from datetime import UTC, datetime

    with shop.state.write_deliveries() as connection:
        removed = update(memberships).where(memberships.c.record_id == "r3")
        connection.execute(removed.values(status="removed", reason="withdrawn", changed_at=datetime.now(UTC)))
    with shop.open() as connection:
        baseline.take(connection, shop.state, found, shop.build_id)
    assert shop.memberships()["r3"] == "removed"


def test_marking_lets_go_of_plans_that_rest_on_members_nobody_vouches_for(shop: Shop) -> None:
    shop.build({"buyers": range(8)})
    planned = shop.plan()["buyers"]
    assert planned.status == "ready"
    baseline.mark(shop.state, shop.catalogue, "restored from a backup")
    assert "buyers" not in shop.apply()
    assert shop.on(TARGET) == set(range(6))


def test_a_deliveries_store_from_elsewhere_is_no_better_than_a_lost_one(shop: Shop, tmp_path: Path) -> None:
    State(tmp_path / "other").close()
    shop.state.close()
    for path in shop.home.state.glob("deliveries.db*"):
        path.unlink()
    (tmp_path / "other" / "deliveries.db").rename(shop.home.state / "deliveries.db")
    shop.state = State.of(shop.home)
    assert len(baseline.due(shop.state)) == 1


def test_all_of_state_lost_is_noticed_by_what_was_published(shop: Shop) -> None:
    write(shop.home, shop.catalogue)
    shop.state.close()
    shutil.rmtree(shop.home.state)
    shop.state = State.of(shop.home)
    assert len(baseline.due(shop.state)) == 1
