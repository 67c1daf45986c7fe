from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dlt_sources.errors import AudiencesError
from orchestration.activation import guards
from orchestration.activation.guards import Findings
from orchestration.warehouse import Build
from tests.activation.shop import MAILER, PLATFORM, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.audience()
    return shop


def members(shop: Shop, numbers: range) -> None:
    shop.build({"buyers": numbers}, people=range(40))
    shop.plan()
    shop.apply()


def findings(shop: Shop, **more: object) -> Findings:
    with shop.open() as connection:
        build = Build(shop.build_id, datetime.now(UTC))
        return guards.findings(
            connection, build, shop.audiences, platforms=[PLATFORM], accounts=[MAILER], **more
        )  # fmt: skip


def contacted(shop: Shop, ago: timedelta) -> None:
    with shop.open() as connection:
        at = datetime.now(UTC) - ago
        connection.execute("INSERT INTO raw_audiences.contacts VALUES ('mailer', 'main', 'people', ?, 3600)", [at])


def checked(shop: Shop, *results: tuple[str, str, bool]) -> None:
    with shop.open() as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS quality")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS quality.check_results (build_id BIGINT, boundary VARCHAR, subject VARCHAR, "
            "check_name VARCHAR, success BOOLEAN, unexpected BIGINT)"
        )
        for boundary, subject, success in results:
            values = [shop.build_id, boundary, subject, "keys", success, 0]
            connection.execute("INSERT INTO quality.check_results VALUES (?, ?, ?, ?, ?, ?)", values)


def test_an_empty_audience_with_members_is_held(shop: Shop) -> None:
    members(shop, range(3))
    shop.build({"buyers": []}, people=range(40))
    planned = shop.plan()["buyers"]
    assert (planned.status, planned.removes) == ("held", 3)
    assert planned.held_because == ("empty_audience: nobody is admitted, 3 are members",)
    assert shop.apply() == {}
    assert shop.on("list:Buyers") == {0, 1, 2}


def test_an_audience_that_starts_empty_is_not_held(shop: Shop) -> None:
    shop.build({"buyers": []})
    assert shop.plan()["buyers"].status == "nothing"


@pytest.mark.parametrize(
    ("before", "after", "held"),
    [(20, 14, False), (20, 13, True), (19, 5, False)],
    ids=["at the limit", "beyond it", "too few to ask"],
)
def test_a_plan_that_removes_a_large_share_is_held(shop: Shop, before: int, after: int, held: bool) -> None:
    members(shop, range(before))
    shop.build({"buyers": range(after)}, people=range(40))
    assert (shop.plan()["buyers"].status == "held") is held


def test_a_twin_may_set_its_own_limit(shop: Shop) -> None:
    shop.audience(limits={"removed_share": 0.9})
    members(shop, range(20))
    shop.build({"buyers": range(5)}, people=range(40))
    assert shop.plan()["buyers"].status == "ready"


def test_a_held_plan_holds_no_removal(shop: Shop) -> None:
    members(shop, range(20))
    shop.build({"buyers": range(2)}, people=range(40), refused={1: "withdrawn"})
    planned = shop.plan()
    assert (planned["buyers"].status, planned["removals"].status) == ("held", "ready")
    shop.apply()
    assert shop.on("list:Buyers") == set(range(20)) - {1}


def test_people_who_must_go_do_not_count_towards_the_share(shop: Shop) -> None:
    members(shop, range(20))
    shop.build({"buyers": range(4)}, people=range(40), refused=dict.fromkeys(range(4, 20), "withdrawn"))
    planned = shop.plan()
    assert (planned["removals"].removes, planned["buyers"].status) == (16, "nothing")


def test_approval_releases_exactly_that_plan(shop: Shop) -> None:
    members(shop, range(3))
    shop.build({"buyers": []}, people=range(40))
    held = shop.plan()["buyers"]
    guards.approve(shop.state, held.plan_id, "jo", "the season is over")
    assert shop.plan()["buyers"].status == "ready"
    assert shop.apply()["buyers"].status == "applied"
    assert shop.on("list:Buyers") == set()


def test_a_plan_of_the_next_build_needs_its_own_approval(shop: Shop) -> None:
    members(shop, range(3))
    shop.build({"buyers": []}, people=range(40))
    held = shop.plan()["buyers"]
    guards.approve(shop.state, held.plan_id, "jo", "the season is over")
    shop.build({"buyers": []}, people=range(40))
    assert shop.plan()["buyers"].status == "held"
    with pytest.raises(AudiencesError, match="it is superseded"):
        guards.approve(shop.state, held.plan_id, "jo", "again")


def test_only_a_held_plan_can_be_approved(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    ready = shop.plan()["buyers"]
    with pytest.raises(AudiencesError, match="it is ready"):
        guards.approve(shop.state, ready.plan_id, "jo", "why not")
    with pytest.raises(AudiencesError, match="there is no such plan"):
        guards.approve(shop.state, "f" * 64, "jo", "why not")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("INSERT INTO audiences.buyers FROM audiences.buyers WHERE person_id = 'p1'", "duplicate_keys: 1 "),
        ("UPDATE audiences.buyers SET identifier = NULL WHERE person_id = 'p1'", "null_keys: 1 "),
    ],
)
def test_unsound_keys_hold_the_plan(shop: Shop, change: str, reason: str) -> None:
    shop.build({"buyers": [1, 2]})
    with shop.open() as connection:
        connection.execute(change)
    planned = shop.plan()["buyers"]
    assert planned.status == "held"
    assert planned.held_because[0].startswith(reason)


def test_a_twin_with_a_problem_is_held(shop: Shop) -> None:
    shop.audience(held_because=("two audiences write to it",))
    shop.build({"buyers": [1]})
    assert shop.plan()["buyers"].held_because == ("two audiences write to it",)


def test_a_source_that_never_answered_or_not_for_two_schedules_holds_everything(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    assert findings(shop, require_checks=False).of_all == ("stale_source: mailer:main people has never answered",)
    contacted(shop, timedelta(hours=2, minutes=1))
    assert "has not answered since" in findings(shop, require_checks=False).of_all[0]
    contacted(shop, timedelta(hours=1, minutes=59))
    assert findings(shop, require_checks=False).of_all == ()


def test_an_audience_that_was_not_checked_is_held_unless_checks_are_not_required(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    assert "checks_missing" in findings(shop).about("buyers")
    assert "checks_missing" not in findings(shop, require_checks=False).about("buyers")
    checked(shop, ("audience", "buyers", True))
    assert "checks_missing" not in findings(shop).about("buyers")


def test_checks_of_another_build_do_not_count(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    checked(shop, ("audience", "buyers", True))
    shop.build({"buyers": [1]})
    assert "checks_missing" in findings(shop).about("buyers")


def test_a_failed_check_of_an_audience_holds_that_one_and_a_failed_check_of_a_source_holds_all(shop: Shop) -> None:
    shop.audience("vips")
    shop.build({"buyers": [1], "vips": [1]})
    contacted(shop, timedelta())
    checked(shop, ("audience", "buyers", False), ("audience", "vips", True))
    found = findings(shop)
    assert found.about("buyers") == ("check_failed: buyers keys",)
    assert found.about("vips") == ()
    checked(shop, ("raw", "mailer.people", False))
    assert findings(shop).about("vips") == ("check_failed: mailer.people keys",)


def test_a_failed_test_of_a_segment_holds_that_one_and_any_other_holds_all(shop: Shop) -> None:
    shop.audience("vips")
    shop.build({"buyers": [1], "vips": [1]})
    contacted(shop, timedelta())
    found = findings(shop, failed_tests=["unique_buyers_person_id"], require_checks=False)
    assert (found.about("buyers"), found.about("vips")) == (("test_failed: unique_buyers_person_id",), ())
    found = findings(shop, failed_tests=["unique_persons_person_id"], require_checks=False)
    assert found.about("vips") == ("test_failed: unique_persons_person_id",)


def test_a_failed_model_holds_all_but_a_failed_segment_only_skips_itself(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    contacted(shop, timedelta())
    found = findings(shop, failed_models=["destination_records", "buyers"], require_checks=False)
    assert found.of_all == ("model_failed: destination_records",)


def test_findings_hold_changes_and_never_removals(shop: Shop) -> None:
    members(shop, range(3))
    shop.build({"buyers": range(1, 5)}, people=range(40), refused={1: "withdrawn"})
    planned = shop.plan(Findings(of_all=("stale_source: mailer:main people",)))
    assert planned["buyers"].held_because[-1] == "stale_source: mailer:main people"
    assert (planned["buyers"].status, planned["removals"].status) == ("held", "ready")


def test_a_source_that_failed_its_check_holds_also_the_builds_that_do_not_pull_it(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    contacted(shop, timedelta())
    checked(shop, ("raw", "mailer.people", False))
    shop.build({"buyers": [1]})
    checked(shop, ("audience", "buyers", True))
    assert findings(shop).of_all == ("check_failed: mailer.people keys",)
    checked(shop, ("raw", "mailer.people", True))
    assert findings(shop).of_all == ()
