from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import select, update

from dlt_sources.errors import AudiencesError, StopRun
from dlt_sources.platform import Outcome, Row
from orchestration.activation import apply as applying
from orchestration.activation.keys import keyed_hash
from orchestration.activation.members import UNSEEN
from orchestration.activation.patience import Patience
from orchestration.activation.planned import some
from orchestration.activation.state import membership_keys, memberships, outcomes, plans, withdrawals
from tests.activation.shop import MAILER, Mailer, Shop, failure, throttled, unanswered

LIST = "list:Buyers"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.audience()
    return shop


def states(shop: Shop) -> dict[str, str]:
    """Record → state of the newest plan's rows."""
    with shop.state.deliveries.connect() as connection:
        newest = connection.execute(select(plans).where(plans.c.path == "changes").order_by(plans.c.created_at.desc()))
        plan = newest.first()
        known = {
            row.row_id: row.state
            for row in connection.execute(select(outcomes).where(outcomes.c.plan_id == plan.plan_id))
        }
    return {str(row.record_id): known[row.row_id] for row in some(shop.home.data / plan.file, known)}


def test_planned_rows_arrive_in_batches_and_become_memberships_with_their_keys(shop: Shop) -> None:
    shop.build({"buyers": range(7)})
    planned = shop.plan()["buyers"]
    seen: list[tuple[int, int]] = []
    result = shop.apply(progress=lambda _plan, done, rows: seen.append((done, rows)))["buyers"]
    assert shop.on(LIST) == set(range(7))
    assert set(shop.memberships().values()) == {"accepted"}
    assert (result.plan_id, result.status, result.accepted, result.calls) == (planned.plan_id, "applied", 7, 3)
    assert seen == [(3, 7), (6, 7), (7, 7)]
    with shop.state.deliveries.connect() as connection:
        assert len(connection.execute(select(membership_keys)).all()) == 7 * 4


def test_applying_an_applied_plan_changes_nothing(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]})
    planned = shop.plan()["buyers"]
    shop.apply()
    calls = list(shop.mailer.log)
    assert shop.apply() == {}
    assert shop.apply(plan_ids=[planned.plan_id])["buyers"].status == "applied"
    assert shop.mailer.log == calls


def test_a_held_or_unknown_plan_is_not_applied_by_name(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]}, refused={1: "withdrawn"})
    held = shop.plan()["buyers"]
    assert held.status == "held"
    with pytest.raises(AudiencesError, match="it is held"):
        shop.apply(plan_ids=[held.plan_id])
    with pytest.raises(AudiencesError, match="it is unknown"):
        shop.apply(plan_ids=["0" * 64])
    assert shop.apply() == {}
    assert shop.mailer.log == []


def test_removals_go_before_additions_of_every_audience(shop: Shop) -> None:
    shop.audience("vips")
    shop.build({"buyers": [1, 2], "vips": [1, 2]})
    shop.plan()
    shop.apply()
    shop.mailer.log.clear()
    shop.build({"buyers": [1, 3], "vips": [1, 3]}, refused={2: "withdrawn"}, withdrawals=[2])
    shop.plan()
    shop.apply()
    assert [(operation, where) for operation, where, _ in shop.mailer.log] == [
        ("remove", LIST), ("remove", "list:Vips"), ("suppress", "email"), ("add", LIST), ("add", "list:Vips"),
    ]  # fmt: skip
    assert shop.on(LIST) == shop.on("list:Vips") == {1, 3}


def test_rows_that_the_gate_forbids_are_dropped_before_the_call(shop: Shop) -> None:
    shop.build({"buyers": [1, 2, 3]})
    shop.plan()
    shop.gate.block("email:p2@example.com")
    result = shop.apply()["buyers"]
    assert set(shop.mailer.names("add")) == {"r1", "r3"}
    assert (result.dropped, result.status) == (1, "applied")
    assert "r2" not in shop.memberships()


def test_who_is_suppressed_while_the_call_is_under_way_is_taken_back(shop: Shop) -> None:
    shop.build({"buyers": [1, 2, 3]})
    shop.plan()
    shop.mailer.next = [lambda: shop.gate.block("record:shop:main:s2")]
    result = shop.apply()["buyers"]
    assert shop.on(LIST) == {1, 3}
    assert shop.mailer.names("remove") == ["r2"]
    assert (result.compensated, result.status) == (1, "applied")
    assert shop.memberships() == {"r1": "accepted", "r2": "removed", "r3": "accepted"}


def test_who_is_suppressed_while_a_job_runs_is_taken_back_when_it_ends(shop: Shop) -> None:
    shop.build({"buyers": [1, 2, 3]})
    shop.plan()
    shop.mailer.polls = 2
    shop.mailer.next = [None, lambda: shop.gate.block("email:p2@example.com")]
    result = shop.apply()["buyers"]
    assert shop.on(LIST) == {1, 3}
    assert (result.compensated, result.accepted) == (1, 2)


def test_a_member_is_pending_on_record_while_its_call_is_under_way(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    shop.plan()
    seen: list[dict[str, str]] = []
    shop.mailer.next = [lambda: seen.append(shop.memberships())]
    shop.apply()
    assert seen == [{"r1": "pending"}]
    assert shop.memberships() == {"r1": "accepted"}


def test_a_member_that_the_speed_lane_removes_during_the_call_stays_removed(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    shop.plan()

    def speed_lane() -> None:
        with shop.state.write_deliveries() as connection:
            connection.execute(update(memberships).values(status="removed"))

    shop.mailer.next = [speed_lane]
    shop.apply()
    assert shop.memberships() == {"r1": "removed"}
    assert shop.on(LIST) == set()


def test_a_closed_gate_lets_nobody_in_and_everybody_out(shop: Shop) -> None:
    shop.build({"buyers": [1, 2, 3]})
    shop.plan()
    shop.apply()
    shop.build({"buyers": [1, 4]}, refused={2: "withdrawn"})
    shop.plan()
    shop.gate.closed = True
    results = shop.apply()
    assert shop.on(LIST) == {1}
    assert results["removals"].status == "applied"
    assert (results["buyers"].status, results["buyers"].accepted) == ("ready", 1)
    assert "ledger cannot be read" in results["buyers"].problem
    shop.gate.closed = False
    assert shop.apply()["buyers"].status == "applied"
    assert shop.on(LIST) == {1, 4}


def test_a_gate_that_closes_during_the_call_leaves_the_rows_open(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    shop.plan()
    shop.mailer.next = [lambda: setattr(shop.gate, "closed", True)]
    assert shop.apply()["buyers"].in_flight == 1
    assert shop.memberships() == {"r1": "pending"}
    shop.gate.closed = False
    shop.gate.block("email:p1@example.com")
    assert shop.apply()["buyers"].compensated == 1
    assert shop.on(LIST) == set()


def test_being_throttled_waits_as_asked_and_uses_up_no_attempt(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    shop.plan()
    shop.mailer.next = [throttled(2), throttled(3), throttled(4), throttled(5)]
    assert shop.apply()["buyers"].status == "applied"
    assert shop.slept == [2, 3, 4, 5]
    with shop.state.deliveries.connect() as connection:
        assert connection.execute(select(outcomes.c.attempts)).scalar() == 1


def test_a_throttling_destination_is_left_when_patience_ends(shop: Shop) -> None:
    shop.build({"buyers": range(7)})
    shop.plan()
    shop.mailer.next = [None, throttled(100), throttled(100)]
    result = shop.apply(patience=Patience(throttled=150, sleep=shop.slept.append))["buyers"]
    assert (result.accepted, result.failed, result.status) == (3, 3, "ready")
    assert "as long as one run waits" in result.problem
    assert shop.slept == [100]
    assert shop.apply()["buyers"].status == "applied"


def test_three_unanswered_attempts_fail_the_rows_and_a_later_run_sends_only_those(shop: Shop) -> None:
    shop.build({"buyers": range(5)})
    shop.plan()
    shop.mailer.next = [unanswered(), unanswered(), unanswered()]
    result = shop.apply()["buyers"]
    assert (result.failed, result.accepted, result.status) == (3, 2, "ready")
    pending = {record for record, status in shop.memberships().items() if status == "pending"}
    shop.mailer.log.clear()
    assert shop.apply()["buyers"].status == "applied"
    assert set(shop.mailer.names("add")) == pending
    assert len(pending) == 3


def test_who_is_suppressed_after_an_unanswered_attempt_is_taken_back_not_dropped(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]})
    shop.plan()

    def reached_and_cut() -> None:
        shop.gate.block("email:p2@example.com")
        raise unanswered()

    shop.mailer.next = [reached_and_cut]
    result = shop.apply()["buyers"]
    assert shop.on(LIST) == {1}
    assert (result.compensated, result.accepted, result.dropped) == (1, 1, 0)


def test_a_refused_batch_is_halved_until_the_bad_row_is_alone(shop: Shop) -> None:
    shop.mailer.batch_size = {"add": 8, "remove": 8, "suppress": 8}
    shop.build({"buyers": range(8)})
    shop.plan()
    shop.mailer.bad, shop.mailer.whole = {"r5"}, True
    result = shop.apply()["buyers"]
    assert shop.on(LIST) == {0, 1, 2, 3, 4, 6, 7}
    assert (result.dead, result.accepted, result.status) == (1, 7, "applied")
    assert "r5" not in {record for record, status in shop.memberships().items() if status != "removed"}


def test_halving_a_batch_that_is_wrong_altogether_ends(shop: Shop) -> None:
    shop.mailer.batch_size = {"add": 200, "remove": 8, "suppress": 8}
    shop.build({"buyers": range(200)}, people=range(200))
    shop.plan()
    shop.mailer.bad, shop.mailer.whole = {f"r{n}" for n in range(200)}, True
    result = shop.apply()["buyers"]
    assert result.calls <= 80
    assert result.failed + result.dead == 200


def test_a_bad_row_is_dead_and_the_others_of_its_call_are_accepted(shop: Shop) -> None:
    shop.build({"buyers": [1, 2, 3]})
    shop.plan()
    shop.mailer.bad = {"r2"}
    shop.apply()
    assert states(shop) == {"r1": "accepted", "r2": "dead", "r3": "accepted"}
    assert shop.memberships()["r2"] == "removed"


def test_a_refused_row_that_an_earlier_call_may_have_added_stays_pending_until_it_is_removed(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]})
    shop.plan()

    def reached_and_lost() -> None:
        raise ZeroDivisionError

    shop.mailer.next = [reached_and_lost]
    shop.apply()
    shop.build({"buyers": [1, 2]})
    shop.plan()
    shop.mailer.bad = {"r2"}
    assert shop.apply()["buyers"].dead == 1
    assert shop.memberships() == {"r1": "accepted", "r2": "pending"}
    shop.build({"buyers": [1]})
    shop.plan()
    shop.apply()
    assert (shop.on(LIST), shop.memberships()["r2"]) == ({1}, "removed")


def test_a_row_without_an_outcome_is_not_taken_for_accepted(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]})
    shop.plan()

    class Forgetful(Mailer):
        def add(self, target: object, rows: list[Row]) -> list[Outcome]:
            return [Outcome(row_id=rows[0].row_id, status="accepted")]

    shop.mailer = Forgetful()
    shop.apply()
    assert states(shop) == {"r1": "accepted", "r2": "failed"}


@pytest.mark.parametrize("status", [401, 403, 429], ids=["wrong credentials", "no permission", "the day's calls spent"])
def test_what_concerns_the_whole_account_stops_it_at_its_first_call(shop: Shop, status: int) -> None:
    shop.audience("vips")
    shop.build({"buyers": range(5), "vips": [1]})
    shop.plan()
    shop.mailer.next = [StopRun(failure(status), "Wait for a person.")]
    results = shop.apply()
    assert len(shop.mailer.log) == 1
    assert all("Wait for a person" in result.problem for result in results.values())
    assert all(result.status == "ready" for result in results.values())
    shop.apply()
    assert (shop.on(LIST), shop.on("list:Vips")) == (set(range(5)), {1})


def test_a_list_that_is_gone_stops_nobody_from_leaving_the_others(shop: Shop) -> None:
    shop.audience("vips")
    shop.build({"buyers": [1, 2], "vips": [1, 2]})
    shop.plan()
    shop.apply()
    shop.build({"buyers": [1], "vips": [1]}, refused={2: "withdrawn"})
    shop.plan()
    shop.mailer.next = [StopRun(failure(404), "Make the list.")]
    results = shop.apply()
    assert shop.on("list:Vips") == {1}
    assert (results["removals"].status, results["removals"].accepted) == ("ready", 1)


def test_a_broken_destination_stops_alone(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.build({"buyers": [1]})
    shop.plan()
    shop.mailer.next = [ZeroDivisionError("p1@example.com")]
    result = shop.apply()["buyers"]
    assert (result.in_flight, result.problem) == (1, "ZeroDivisionError; the log says where.")
    assert shop.apply()["buyers"].status == "applied"


def test_a_job_that_outlasts_patience_is_followed_by_the_next_run(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]})
    shop.plan()
    shop.mailer.polls = 5
    first = shop.apply(patience=Patience(job=0.5, sleep=shop.slept.append))["buyers"]
    assert (first.in_flight, first.status) == (2, "ready")
    second = shop.apply()["buyers"]
    assert (second.accepted, second.status) == (2, "applied")
    assert len(shop.mailer.jobs) == 1


def test_a_withdrawal_is_on_record_once_every_record_has_it(shop: Shop) -> None:
    shop.build({"buyers": []}, withdrawals=[4])
    with shop.open() as connection:
        values = ["mailer", "main", "acme", "second", "p4", "p4@example.com", None]
        connection.execute("INSERT INTO marts.destination_records VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    shop.plan()

    class Half(Mailer):
        def suppress(self, channel: str, rows: list[Row]) -> list[Outcome]:
            return [
                Outcome(row_id=row.row_id, status="accepted" if row.record_id == "r4" else "failed") for row in rows
            ]

    healthy, shop.mailer = shop.mailer, Half()
    shop.apply()
    with shop.state.deliveries.connect() as connection:
        assert connection.execute(select(withdrawals)).all() == []
    shop.mailer = healthy
    shop.apply()
    with shop.state.deliveries.connect() as connection:
        [row] = connection.execute(select(withdrawals)).all()
    assert row.key_hash == keyed_hash(shop.state.key, "email:p4@example.com")


def test_a_member_that_was_created_is_kept_under_the_record_it_was_given(shop: Shop) -> None:
    shop.audience(create_missing=True)
    shop.build({"buyers": [1, 2]}, without_record=[2])
    shop.plan()
    shop.apply()
    assert shop.memberships() == {"r1": "accepted", "new-0": "accepted"}


@pytest.mark.parametrize("pulled", [True, False], ids=["pulled since", "not pulled yet"])
def test_a_member_whose_record_was_never_told_can_still_be_removed(shop: Shop, pulled: bool) -> None:
    class Silent(Mailer):
        find_now = False

        def find(self, identifiers: list) -> dict:
            return super().find(identifiers) if self.find_now else {}

    shop.mailer = Silent()
    shop.audience(create_missing=True)
    shop.build({"buyers": [2]}, without_record=[2])
    shop.plan()
    shop.apply()
    [record] = shop.memberships()
    assert record == UNSEEN + keyed_hash(shop.state.key, "email:p2@example.com")
    shop.mailer.find_now = True
    shop.build({"buyers": []}, refused={2: "withdrawn"}, without_record=[2])
    if pulled:
        with shop.open() as connection:
            values = ["mailer", "main", "acme", "new-0", "p2", "p2@example.com", None]
            connection.execute("INSERT INTO marts.destination_records VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    assert shop.plan()["removals"].removes == 1
    shop.apply()
    assert shop.mailer.members[LIST] == {}
    assert set(shop.memberships().values()) == {"removed"}


def test_a_plan_from_before_the_newest_decided_build_is_refused(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    older = shop.plan()["buyers"]
    shop.publish()
    shop.build({"buyers": [1]})
    shop.publish()
    assert shop.apply() == {}
    with pytest.raises(AudiencesError, match="it is superseded"):
        shop.apply(plan_ids=[older.plan_id])
    assert shop.mailer.log == []


def test_a_plan_that_is_superseded_while_it_is_applied_stops(shop: Shop) -> None:
    shop.build({"buyers": range(7)})
    shop.plan()

    def newer() -> None:
        with shop.state.write_deliveries() as connection:
            connection.execute(update(plans).values(status="superseded"))

    shop.mailer.next = [newer]
    result = shop.apply()["buyers"]
    assert len(shop.mailer.log) == 1
    assert (result.status, result.problem) == ("superseded", "A newer plan took its place.")


def in_flight_of_a_superseded_plan(shop: Shop) -> None:
    """A call reached the destination and its answer was lost; then a build found that person 2 is not of interest."""
    shop.build({"buyers": [1, 2]})
    shop.plan()

    def lost() -> None:
        raise ZeroDivisionError

    shop.mailer.next = [lost]
    shop.apply()
    assert shop.on(LIST) == {1, 2}
    shop.build({"buyers": [1]})


def test_what_a_lost_answer_left_behind_is_removed_by_the_next_plan(shop: Shop) -> None:
    in_flight_of_a_superseded_plan(shop)
    planned = shop.plan()["buyers"]
    assert (planned.adds, planned.removes) == (1, 1)
    shop.apply()
    assert shop.on(LIST) == {1}
    assert shop.memberships() == {"r1": "accepted", "r2": "removed"}


def test_an_update_whose_answer_was_lost_is_planned_again(shop: Shop) -> None:
    shop.audience(traits={"total": "spent"})
    shop.build({"buyers": [1]}, spent={1: 1})
    shop.plan()
    shop.apply()
    shop.build({"buyers": [1]}, spent={1: 2})
    shop.plan()
    shop.mailer.next = [ZeroDivisionError()]
    shop.apply()
    assert shop.memberships() == {"r1": "accepted"}
    shop.build({"buyers": [1]}, spent={1: 2})
    assert shop.plan()["buyers"].updates == 1
    shop.apply()
    assert shop.mailer.members[LIST] == {"r1": {"total": 2}}


def test_in_flight_rows_of_a_superseded_plan_that_are_forbidden_by_now_are_taken_back(shop: Shop) -> None:
    in_flight_of_a_superseded_plan(shop)
    shop.plan()
    shop.gate.block("email:p1@example.com")
    shop.apply()
    assert shop.on(LIST) == set()


def test_one_run_at_a_time_applies_to_an_account(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "_LOCK_SECONDS", 0.1)
    shop.build({"buyers": [1]})
    shop.plan()
    with FileLock(shop.state.folder / f"apply-{MAILER.platform}_{MAILER.name}.lock"):
        assert "Another run" in shop.apply()["buyers"].problem
    assert shop.mailer.log == []


@pytest.mark.parametrize("operation", ["path", "audience"])
def test_a_run_may_be_limited_to_a_path_or_an_audience(shop: Shop, operation: str) -> None:
    shop.audience("vips")
    shop.build({"buyers": [1], "vips": [2]}, withdrawals=[3])
    shop.plan()
    results = shop.apply(**{operation: {"path": "removals", "audience": "vips"}[operation]})
    assert set(results) == ({"removals"} if operation == "path" else {"vips"})
