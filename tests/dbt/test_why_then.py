"""`why` as of another time: one person's raw rows give what the build decided, and what it would have decided."""

from __future__ import annotations

import csv
import json
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import insert

from orchestration.activation import catalogue as catalogues
from orchestration.activation.answer import Answer
from orchestration.activation.catalogue import Audience, Catalogue, Question
from orchestration.activation.state import State, builds, outcomes, plans
from orchestration.activation.why import why
from orchestration.home import Home
from orchestration.proving import pack
from orchestration.proving.past import why_then
from tests.dbt.conftest import Build
from tests.dbt.raw import NOW

ASKED = {
    "recent_buyers": Question(channel="email", purpose="marketing", topic="marketing"),
    "lapsed_customers": Question(channel="sms", purpose="marketing", topic="marketing"),
    "vape_buyers_of_age": Question(channel="email", purpose="marketing", topic="marketing", product_category="vape"),
}


@pytest.fixture(scope="module")
def home(shop: Build, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that has published the shop; dbt parses once for all questions."""
    home = Home(tmp_path_factory.mktemp("home"))
    home.published.mkdir(parents=True)
    shutil.copy(shop.warehouse, home.published_warehouse)
    audiences = tuple(
        Audience(name=name, channel=one.channel, purpose=one.purpose, topic=one.topic, brand="acme", question_id=one.id)
        for name, one in ASKED.items()
    )
    catalogues.write(home, Catalogue(1, audiences))
    return home


def verdicts(answer: Answer) -> dict[tuple[str, str], tuple[bool, list[str], list[str], str]]:
    return {
        (audience.audience, verdict.identifier): (
            verdict.eligible,
            [reason.code for reason in verdict.reasons],
            sorted(one.id for one in verdict.evidence),
            verdict.changes,
        )
        for person in answer.people
        for audience in person.audiences
        for verdict in audience.verdicts
    }


@pytest.mark.parametrize("subject", ["clicked@example.com", "+14155550123"])
def test_at_the_builds_own_times_a_persons_raw_rows_give_the_builds_decisions(home: Home, subject: str) -> None:
    published, copy = why(home, subject, show=True), home.published_warehouse.read_bytes()
    past = why_then(home, subject, as_of=NOW, known_at=NOW, show=True)
    assert verdicts(past.answer) == verdicts(published)
    assert verdicts(published)
    assert [one.person_id for one in past.answer.people] == [one.person_id for one in published.people]
    assert past.answer.rule_version == published.rule_version
    with duckdb.connect(str(home.published_warehouse), read_only=True) as connection:
        (customers,) = connection.execute("SELECT count(*) FROM raw_shopify.customers").fetchone() or (0,)
    assert 0 < past.rows < customers / 2, "the whole shop was copied for one person"
    assert home.published_warehouse.read_bytes() == copy
    assert not home.warehouse.exists()


def test_what_reached_us_later_is_left_out_of_what_was_known(home: Home) -> None:
    told: list[str] = []
    before = why_then(
        home, "hook@example.com", "recent_buyers", as_of=NOW, known_at=NOW - timedelta(minutes=45), tell=told.append
    ).answer
    assert [codes for _, codes, _, _ in verdicts(before).values()] == [["ok"]]
    assert before.people[0].audiences[0].stands == "may_be_used"
    now = why(home, "hook@example.com", "recent_buyers")
    assert [codes for _, codes, _, _ in verdicts(now).values()] == [["withdrawn"]]
    assert any("models" in text for text in told), "somebody who waits is told how far it is"


def test_a_time_before_anything_was_known_is_said_to_be_so(home: Home) -> None:
    before = why_then(home, "hook@example.com", as_of=NOW, known_at=NOW - timedelta(days=400)).answer
    assert before.people == []
    assert before.notes[0].startswith("Raw holds nothing that had arrived by 2025-10-18 00:00 UTC")


def test_a_send_is_proven_by_what_its_build_went_by(home: Home, tmp_path: Path) -> None:
    with duckdb.connect(str(home.published_warehouse), read_only=True) as connection:
        found = connection.execute(
            "SELECT person_id FROM marts.decisions WHERE identifier = 'proven@example.com'"
        ).fetchone()
    assert found is not None
    sent_at, plan_id = NOW + timedelta(minutes=5), "f" * 64
    about = {"platform": "klaviyo", "account": "main", "audience": "vape_buyers_of_age", "target": "list:Vapers"}
    counts = {"adds": 1, "updates": 0, "removes": 0, "suppressions": 0}
    (home.data / "plans").mkdir()
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'w1' AS row_id, 'add' AS op, 'vape_buyers_of_age' AS audience, 'klaviyo' AS platform, "
            "'main' AS account, 'list:Vapers' AS target, 'K31' AS record_id, $person AS person_id, "
            "'admitted' AS reason) TO $file (FORMAT parquet)",
            {"person": found[0], "file": str(home.data / "plans" / "one.parquet")},
        )
    with closing(State.of(home)) as state:
        with state.write_ledger() as ledger:
            ledger.execute(insert(builds).values(build_id=1, as_of=NOW, started_at=NOW))
        with state.write_deliveries() as deliveries:
            plan = {"plan_id": plan_id, "build_id": 1, "path": "changes", "status": "applied", **about, **counts}
            deliveries.execute(insert(plans).values(file="plans/one.parquet", created_at=sent_at, **plan))
            row = {"plan_id": plan_id, "row_id": "w1", "state": "accepted", "code": "200"}
            deliveries.execute(insert(outcomes).values(changed_at=sent_at, **row))
    made = pack.of_send(home, f"{plan_id[:12]}:w1", tmp_path / "pack", actor="jo")
    [decision] = csv.DictReader((made.folder / "decisions.csv").open())
    assert (decision["audience"], decision["eligible"]) == ("vape_buyers_of_age", "True")
    [push] = csv.DictReader((made.folder / "sends.csv").open())
    assert (push["write_id"], push["state"], push["reason"]) == (f"{plan_id[:12]}:w1", "accepted", "admitted")
    raw = json.loads((made.folder / "raw.json").read_text())
    assert "Age Verified" in {tag.strip() for one in raw for tag in str(one["payload"].get("tags", "")).split(",")}
    assert {one["table"] for one in raw} <= {"raw_shopify.customers", "raw_shopify.orders"}
    assert "typed@example.com" not in (made.folder / "raw.json").read_text()
