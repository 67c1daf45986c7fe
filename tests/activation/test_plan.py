import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from dlt_sources.errors import AudiencesError
from orchestration.activation import accepted
from orchestration.activation.catalogue import Place
from orchestration.activation.keys import keyed_hash
from orchestration.activation.members import install_key
from orchestration.activation.planned import PlannedRow
from orchestration.activation.state import plans
from orchestration.warehouse import begin_build
from tests.activation.shop import NONE, SMS, VAPE, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.audience()
    return shop


def rows(shop: Shop, summary: object) -> list[PlannedRow]:
    table = pq.read_table(shop.home.data / summary.file)
    assert table.column_names == list(PlannedRow._fields)
    return [PlannedRow(**row) for row in table.to_pylist()]


def live(shop: Shop, admitted: range | list[int], **more: object) -> None:
    """Bring members to the destination by a build, a plan and an apply."""
    shop.build({"buyers": admitted}, **more)
    shop.plan()
    shop.apply()


def test_admitted_people_are_added_on_each_record_that_holds_the_admitted_identifier(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]})
    with shop.open() as connection:
        for record, person, email in (("second", "p1", "p1@example.com"), ("other", "p1", "else@example.com")):
            values = ["mailer", "main", "acme", record, person, email, None]
            connection.execute("INSERT INTO marts.destination_records VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    planned = shop.plan()["buyers"]
    assert {row.record_id for row in rows(shop, planned)} == {"r1", "r2", "second"}
    assert (planned.adds, planned.updates, planned.removes) == (3, 0, 0)


def test_a_person_without_a_record_there_is_left_out_and_counted(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]}, without_record=[2])
    planned = shop.plan()["buyers"]
    assert (planned.adds, planned.unreachable) == (1, 1)


def test_create_missing_names_the_identifier_instead_of_a_record(shop: Shop) -> None:
    shop.audience(create_missing=True)
    shop.build({"buyers": [1, 2]}, without_record=[2])
    by_record = {row.record_id: row for row in rows(shop, shop.plan()["buyers"])}
    assert by_record[None].identifier == "p2@example.com"
    assert by_record["r1"].identifier is None


def test_rows_carry_every_key_of_the_person_hashed_and_nothing_in_clear(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    planned = shop.plan()["buyers"]
    keys = ["email:p1@example.com", "phone:+14155550001", "record:shop:main:s1", "record:mailer:main:r1"]
    assert rows(shop, planned)[0].suppression_keys == sorted(keyed_hash(shop.state.key, key) for key in keys)
    assert b"p1@example.com" not in (shop.home.data / planned.file).read_bytes()


def test_traits_are_mapped_to_their_names_with_times_in_utc(shop: Shop) -> None:
    shop.audience(traits={"total": "spent", "seen": "as_of"})
    shop.build({"buyers": [1]}, spent={1: 7})
    with shop.open() as connection:
        connection.execute("UPDATE audiences.buyers SET as_of = '2026-11-22 12:00:00+02'")
    [row] = rows(shop, shop.plan()["buyers"])
    assert json.loads(row.traits) == {"seen": "2026-11-22T10:00:00Z", "total": 7}


def test_the_same_inputs_give_the_same_plan(shop: Shop) -> None:
    shop.build({"buyers": range(12)})
    first, second = shop.plan()["buyers"], shop.plan()["buyers"]
    assert first.plan_id == second.plan_id
    with shop.state.deliveries.connect() as connection:
        assert len(connection.execute(select(plans)).all()) == 1


def test_a_dry_run_leaves_nothing_behind(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]})
    planned = shop.plan(dry_run=True)["buyers"]
    assert (planned.adds, planned.status, planned.reasons) == (2, "ready", {"add admitted": 2})
    assert not shop.home.plans.exists()
    with shop.state.deliveries.connect() as connection:
        assert connection.execute(select(plans)).all() == []


def test_nothing_is_planned_when_nothing_differs(shop: Shop) -> None:
    live(shop, [1, 2, 3])
    shop.build({"buyers": [1, 2, 3]})
    assert {name: one.status for name, one in shop.plan().items()} == {"removals": "nothing", "buyers": "nothing"}


def test_a_changed_trait_is_an_update(shop: Shop) -> None:
    shop.audience(traits={"total": "spent"})
    live(shop, [1, 2], spent={1: 5})
    shop.build({"buyers": [1, 2]}, spent={1: 6})
    [row] = rows(shop, shop.plan()["buyers"])
    assert (row.op, row.record_id, row.traits) == ("update", "r1", '{"total":6}')


def test_a_key_learnt_since_is_an_update_so_that_an_opt_out_under_it_finds_the_member(shop: Shop) -> None:
    live(shop, [1, 2])
    shop.build({"buyers": [1, 2]}, extra_keys={2: ["email:second@example.com"]})
    [row] = rows(shop, shop.plan()["buyers"])
    assert (row.op, row.record_id) == ("update", "r2")
    assert keyed_hash(shop.state.key, "email:second@example.com") in row.suppression_keys


def test_who_is_no_longer_eligible_goes_by_the_removals_path_with_the_lead_reason(shop: Shop) -> None:
    live(shop, [1, 2])
    shop.build({"buyers": [1]}, refused={2: "spam_complaint"})
    planned = shop.plan()
    assert [(row.op, row.record_id, row.reason) for row in rows(shop, planned["removals"])] == [
        ("remove", "r2", "spam_complaint")
    ]
    assert planned["buyers"].status == "nothing"


def test_who_is_eligible_but_left_goes_by_the_changes_path_with_the_reason(shop: Shop) -> None:
    live(shop, [1, 2, 3])
    shop.build({"buyers": [1]})
    with shop.open() as connection:
        connection.execute(
            "INSERT INTO exclusions.buyers VALUES ('buyers', 'p2', 'left', ['left'], ?)", [shop.build_id]
        )
    planned = shop.plan()
    assert planned["removals"].status == "nothing"
    assert {row.record_id: row.reason for row in rows(shop, planned["buyers"])} == {
        "r2": "left",
        "r3": "no_longer_interested",
    }


def test_a_silent_source_lets_nobody_in_and_throws_nobody_out(shop: Shop) -> None:
    live(shop, [1, 2])
    shop.build({"buyers": [1, 2, 3]}, refused={2: "stale_source", 3: "stale_source"})
    planned = shop.plan()
    assert planned["removals"].status == "nothing"
    assert planned["buyers"].status == "nothing"


def test_a_silent_source_keeps_nobody_who_left_the_segment(shop: Shop) -> None:
    live(shop, [1, 2])
    shop.build({"buyers": [1]}, refused={2: "stale_source"})
    planned = shop.plan()
    assert [row.record_id for row in rows(shop, planned["buyers"])] == ["r2"]


def test_a_record_that_is_gone_is_removed(shop: Shop) -> None:
    live(shop, [1, 2])
    shop.build({"buyers": [1]}, people=[0, 1])
    assert [(row.record_id, row.reason) for row in rows(shop, shop.plan()["removals"])] == [("r2", "record_gone")]


def test_a_record_whose_identifier_is_gone_is_removed(shop: Shop) -> None:
    live(shop, [1, 2])
    shop.build({"buyers": [1]})
    with shop.open() as connection:
        connection.execute("UPDATE marts.destination_records SET email = NULL WHERE record_id = 'r2'")
    assert [(row.record_id, row.reason) for row in rows(shop, shop.plan()["removals"])] == [("r2", "no_identifier")]


def test_an_audience_that_this_build_did_not_make_changes_nothing_but_loses_who_must_go(shop: Shop) -> None:
    live(shop, [1, 2, 3])
    shop.build({"buyers": []}, refused={2: "withdrawn"}, stale=["buyers"])
    planned = shop.plan()
    assert planned["buyers"].status == "skipped"
    assert planned["buyers"].held_because == ("segment_failed: this build did not make the audience",)
    assert [row.record_id for row in rows(shop, planned["removals"])] == ["r2"]


def test_a_twin_whose_question_was_not_decided_keeps_members_that_the_channel_still_admits(shop: Shop) -> None:
    shop.audience("vapers", VAPE)
    shop.build({"vapers": [1, 2, 3]})
    shop.plan()
    shop.apply()
    shop.build({"vapers": []}, refused={2: "withdrawn"}, withdrawals=[3], questions=[NONE], stale=["vapers"])
    planned = shop.plan()
    reasons = {row.record_id: row.reason for row in rows(shop, planned["removals"]) if row.op == "remove"}
    assert reasons == {"r2": "withdrawn", "r3": "withdrawn"}


def test_an_audience_that_left_the_project_loses_its_members_as_changes(shop: Shop) -> None:
    live(shop, [1, 2])
    shop.audiences = [replace(shop.audiences[0], retired=True)]
    shop.build({})
    planned = shop.plan()
    assert {(row.op, row.reason) for row in rows(shop, planned["buyers"])} == {("remove", "retired")}


def test_a_target_that_a_twin_no_longer_names_loses_its_members(shop: Shop) -> None:
    live(shop, [1, 2])
    place = Place(platform="mailer", account="main", target="list:Elsewhere")
    shop.audiences = [replace(shop.audiences[0], destinations=(place,))]
    shop.build({"buyers": [1, 2]})
    summaries = {one.target: one for one in shop.plans()}
    assert (summaries["list:Elsewhere"].adds, summaries["list:Buyers"].removes) == (2, 2)


def test_withdrawals_go_to_every_record_unless_the_place_holds_them(shop: Shop) -> None:
    shop.build({"buyers": []}, withdrawals=[4, 5])
    assert {row.identifier for row in rows(shop, shop.plan()["removals"])} == {"p4@example.com", "p5@example.com"}
    shop.build({"buyers": []}, withdrawals=[4, 5], held_by=["mailer:main"])
    assert shop.plan()["removals"].status == "nothing"


def test_a_withdrawal_that_we_wrote_is_not_written_again(shop: Shop) -> None:
    shop.build({"buyers": []}, withdrawals=[4])
    shop.plan()
    shop.apply()
    shop.build({"buyers": []}, withdrawals=[4])
    assert shop.plan()["removals"].status == "nothing"


def test_a_withdrawal_made_anew_long_after_ours_is_written_again(shop: Shop) -> None:
    shop.build({"buyers": []}, withdrawals=[4])
    shop.plan()
    shop.apply()
    shop.build({"buyers": []}, withdrawals=[4])
    with shop.open() as connection:
        connection.execute("UPDATE marts.withdrawals SET effective_at = effective_at + INTERVAL 1 HOUR")
    assert shop.plan()["removals"].suppressions == 1


def test_nobody_is_planned_whom_the_decisions_do_not_admit(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]}, refused={2: "withdrawn"})
    planned = shop.plan()["buyers"]
    assert [row.record_id for row in rows(shop, planned)] == ["r1"]
    assert planned.held_because == ("not_eligible: 1 admitted rows have no eligible decision and were left out",)


def test_decisions_of_an_earlier_build_are_not_planned_from(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    with shop.open() as connection:
        build = begin_build(shop.state, connection)
        connection.execute("UPDATE marts.clock SET build_id = ?", [build.build_id])
    shop.build_id = build.build_id
    with pytest.raises(AudiencesError, match="made no decisions"):
        shop.plan()


def test_a_newer_plan_of_a_target_supersedes_the_older_one(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    older = shop.plan()["buyers"]
    shop.build({"buyers": [1, 2]})
    newer = shop.plan()["buyers"]
    with shop.state.deliveries.connect() as connection:
        status = {row.plan_id: row.status for row in connection.execute(select(plans))}
    assert status == {older.plan_id: "superseded", newer.plan_id: "ready"}


def test_plans_of_an_earlier_build_are_superseded_even_where_nothing_new_is_planned(shop: Shop) -> None:
    shop.build({"buyers": [1]})
    older = shop.plan()["buyers"]
    shop.audiences = []
    shop.build({})
    shop.plan()
    with shop.state.deliveries.connect() as connection:
        assert (
            connection.execute(select(plans.c.status).where(plans.c.plan_id == older.plan_id)).scalar() == "superseded"
        )


def test_a_trait_that_the_segment_does_not_return_skips_that_audience(shop: Shop) -> None:
    shop.audience(traits={"total": "spend"})
    shop.build({"buyers": [1]})
    planned = shop.plan()["buyers"]
    assert (planned.status, planned.held_because) == (
        "skipped",
        ("trait_missing: the segment returns no column 'spend'",),
    )


def test_text_messages_are_matched_by_phone(shop: Shop) -> None:
    shop.audience("texts", SMS)
    shop.build({"texts": [1, 2]})
    shop.plan()
    shop.apply()
    shop.build({"texts": [1, 2]})
    with shop.open() as connection:
        connection.execute("UPDATE marts.destination_records SET phone = NULL WHERE record_id = 'r1'")
        connection.execute("UPDATE marts.destination_records SET email = NULL WHERE record_id = 'r2'")
    planned = shop.plan()
    assert [row.record_id for row in rows(shop, planned["removals"])] == ["r1"]


def test_the_key_appears_in_no_error(shop: Shop) -> None:
    connection = duckdb.connect()
    connection.close()
    with pytest.raises(AudiencesError) as caught:
        install_key(connection, shop.state.key)
    assert str(caught.value) == "The keyed hash cannot be set up in the warehouse (ConnectionException)."
    assert caught.value.__suppress_context__


def test_large_and_small_states_are_read_alike(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    live(shop, [1, 2, 3], withdrawals=[4])
    small = accepted.members(shop.state), accepted.written_withdrawals(shop.state)
    monkeypatch.setattr(accepted, "FEW", 0)
    large = accepted.members(shop.state), accepted.written_withdrawals(shop.state)
    assert small[0].num_rows == 3
    assert small == large
