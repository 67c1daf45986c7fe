"""What Dagster shows beside a run's figures."""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import told
from orchestration.activation.changes import Change
from orchestration.activation.newly_eligible import NewlyEligible
from orchestration.home import Home
from orchestration.reporting import runs


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.published.mkdir(parents=True)
    return home


def text(value: Any) -> str:
    return str(value.md_str)


def test_coverage_is_a_table_per_mart_of_the_published_copy(home: Home) -> None:
    with duckdb.connect(str(home.published / "warehouse.duckdb")) as connection:
        connection.execute(
            "CREATE SCHEMA marts; CREATE TABLE marts.consent_coverage AS SELECT 'shop' AS platform, 'main' AS account, "
            "'email' AS channel, 9 AS identifiers, 4 AS stated_here, 3 AS granted, 2 AS withdrawn, 1 AS asked_only, "
            "3 AS nothing_known"
        )
    found = told.coverage_of(home)
    assert text(found["consent coverage"]).splitlines()[-1] == "| shop | main | email | 9 | 4 | 3 | 2 | 1 | 3 |"
    assert drawn(found["consent coverage"], "consent coverage").count('class="bar"') == 4
    assert len(text(found["age coverage"]).splitlines()) == 2


def test_newly_eligible_people_are_told_by_cause_with_a_picture_and_why_they_wait() -> None:
    found = NewlyEligible(
        build_id=2, base_build_id=1, people=900, flipped=12, by_cause={"unexplained": 12, "first_seen": 3},
        held_because="mass_flip: too many",
    )  # fmt: skip
    shown = told.newly_eligible(found)
    assert shown["newly eligible people"].value == 12
    lines = text(shown["newly eligible"]).splitlines()
    assert lines[0] == "12 people of 900 count, against build 1."
    assert "**Held.** mass_flip: too many" in lines
    assert {"| seen for the first time | 3 |", "| unexplained | 12 |"} < set(lines)
    assert ">12<" in drawn(shown["newly eligible"], "newly eligible people")
    first = told.newly_eligible(NewlyEligible(build_id=1))
    assert text(first["newly eligible"]) == "There is no good build to compare with."


def drawn(value: Any, title: str) -> str:
    """The picture of that title."""
    picture = re.search(rf"!\[{title}\]\(data:image/svg\+xml;base64,([^)]+)\)", text(value))
    assert picture is not None
    return b64decode(picture[1]).decode()


def test_sends_after_withdrawals_are_told_with_a_picture_that_needs_no_style_sheet() -> None:
    with duckdb.connect() as connection:
        assert told.exposure(connection)["sends after a withdrawal"].value == 0
        connection.execute(
            "CREATE SCHEMA marts; CREATE TABLE marts.exposures AS SELECT 'p1' AS person_id, 'sms' AS channel, "
            "'c1' AS consent_event_id, 'message' AS send_kind, 'twilio' AS platform, 'main' AS account, "
            "false AS may_be_confirmation, true AS is_after_honouring, NULL::BOOLEAN AS is_clock_kept, "
            "TIMESTAMPTZ '2026-11-01' AS received_at, NULL::TIMESTAMPTZ AS honoured_at"
        )
        found = told.exposure(connection)
    assert found["sent too late or after honouring"].value == 1
    picture = re.search(r"!\[sends\]\(data:image/svg\+xml;base64,([^)]+)\)", text(found["by account"]))
    assert picture is not None
    assert "fill: #e6cf7a" in b64decode(picture[1]).decode()
    assert text(found["by account"]).splitlines()[-1] == "| twilio | main | sms | message | 1 | 1 | 1 | 0 | 0 | 1 |  |"


def test_want_of_a_published_copy_breaks_no_op(home: Home) -> None:
    assert told.coverage_of(home) == {}


def test_pages_are_named_where_this_run_s_report_will_be_kept(home: Home) -> None:
    run = runs.begin(home, "0123456789", "daily")
    found = told.pages(home)
    assert found["report"].value == str(runs.kept_path(home, run))
    assert found["data docs"].value == str(home.data_docs / "index.html")


def test_changes_are_summed_up_per_audience() -> None:
    change = Change(audience="buyers", before=5, now=4, added={"interest": 1, "left": 1}, removed={"withdrawn": 3})
    assert text(told.changes([change])).splitlines()[-1] == "| buyers | 5 | 2 | 3 | 4 |"
    assert len(text(told.changes(None)).splitlines()) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run_id": "x"}', '{"started_at": "soon", "ended_at": ""}'])
def test_a_damaged_record_of_the_run_is_no_record(home: Home, content: str) -> None:
    (home.published / "run.json").write_text(content)
    assert runs.newest(home) is None
    assert runs.current_path(home) == runs.report_path(home)
