"""`audiences why` and its neighbours on the command line: what is printed, what is written, and the exit status."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from dlt_sources.errors import ConfigurationError
from orchestration.cli import app
from orchestration.explaining import moment
from tests.activation.shop import Shop
from tests.activation.test_why_chain import FACTS
from tests.orchestration.test_report import EXPOSED


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Person 2 is too young and opted out; a stranger's address is blocked."""
    shop = Shop.of_two(tmp_path, FACTS, reason="under_age")
    monkeypatch.setenv("AUDIENCES_HOME", str(tmp_path))
    return shop.home.folder


def said(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


def test_the_text_leads_from_the_reason_to_its_law_its_evidence_and_what_changes_it(home: Path) -> None:
    code, text = said("why", "p2@example.com", "--audience", "buyers")
    assert code == 0
    places = [
        text.index(part)
        for part in ("buyers (email): OUT", "may not be used; that stands until 2027 if nothing happens",
                     "under_age: Too young.", "rests on: the seed minimum_age", "to change it: Wait.",
                     "age evidence: dob of level 2 by shop", "rule platform_values")
    ]  # fmt: skip
    assert places == sorted(places)
    assert "p2@example.com" not in text
    assert "2009" not in text


def test_somebody_of_no_interest_is_explained_when_the_audience_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shop.of_two(tmp_path, f"{FACTS} DELETE FROM exclusions.buyers;", reason="under_age")
    monkeypatch.setenv("AUDIENCES_HOME", str(tmp_path))
    _, text = said("why", "p2@example.com", "--audience", "buyers")
    assert "buyers (email): not in its segment" in text
    assert text.index("may not be used") < text.index("under_age: Too young.")


def test_a_stranger_is_answered_with_what_is_recorded_and_the_next_step(home: Path) -> None:
    code, text = said("why", "stranger@example.com")
    assert (code, "suppression: spam_complaint" in text, "`audiences suppress`" in text) == (0, True, True)
    code, text = said("why", "nobody@example.com")
    assert (code, "Nobody in the published build is known by that." in text) == (1, True)


def test_the_page_and_the_document_are_written_side_by_side(home: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["why", "p1@example.com", "--html", str(tmp_path / "one.html"), "--json"])
    answer = json.loads(result.stdout)
    assert answer["people"][0]["pushes"][0]["state"] == "accepted"
    assert "<h1>Why p***@example.com?</h1>" in (tmp_path / "one.html").read_text()


@pytest.mark.parametrize("text", ["2026-11-22T18:00:00", "yesterday", "2026-13-01", "", "18:00"])
def test_a_time_without_its_zone_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no time"):
        moment(text)


def test_a_date_begins_at_midnight_and_a_time_keeps_its_zone() -> None:
    assert moment("2026-11-22") == datetime(2026, 11, 22, tzinfo=UTC)
    assert moment("2026-11-22T10:00:00-08:00") == datetime(2026, 11, 22, 18, tzinfo=UTC)
    assert moment(None) is None


def test_a_missed_deadline_is_an_exit_status(home: Path) -> None:
    assert said("exposure") == (0, "Nothing that is known of was sent to anybody after a withdrawal.")
    with duckdb.connect(str(home / "data" / "published" / "warehouse.duckdb")) as connection:
        connection.execute(EXPOSED)
    code, text = said("exposure")
    assert code == 1
    assert "sms_revocation (US) MISSED, due 2026-11-17 00:00 UTC" in text
    assert "m0" not in text
    assert len(json.loads(CliRunner().invoke(app, ["exposure", "--json"]).stdout)["sends"]) == 3


def test_evidence_is_about_one_person_or_one_send(home: Path, tmp_path: Path) -> None:
    target = ["--actor", "jo", "--to", str(tmp_path / "pack")]
    for words in (["evidence", *target], ["evidence", "p2@example.com", "--send", "a:b", *target]):
        with pytest.raises(ConfigurationError, match="one person, or one send"):
            said(*words)
    code, text = said("evidence", "p2@example.com", *target)
    assert code == 0
    assert "holds raw personal data" in text
    assert (tmp_path / "pack" / "index.html").exists()
