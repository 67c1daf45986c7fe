"""What dbt said of a build, in words that may be shown."""

from pathlib import Path

import orjson
import pytest

from orchestration import dbt_results
from orchestration.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    (home.dbt / "target").mkdir(parents=True)
    return home


def said(home: Home, *results: tuple[str, str, str]) -> None:
    nodes = [{"unique_id": name, "status": status, "message": message} for name, status, message in results]
    (home.dbt / "target" / "run_results.json").write_bytes(orjson.dumps({"results": nodes}))


def test_a_message_about_names_is_given_in_full(home: Home) -> None:
    text = 'Runtime Error in model buyers (models/segments/buyers.sql)\n  Binder Error: column "x" not found'
    said(home, ("model.audiences.buyers", "error", text))
    assert dbt_results.problems(home) == ['buyers: Binder Error: column "x" not found']


def test_a_message_that_may_quote_a_value_is_not_shown(home: Home) -> None:
    text = (
        "Runtime Error in model persons (models/marts/persons.sql)\n  Conversion Error: 'jane@example.com' is no date"
    )
    said(home, ("model.audiences.persons", "error", text))
    assert "jane" not in dbt_results.problems(home)[0]
    assert "dbt.log" in dbt_results.problems(home)[0]


def test_failed_models_include_skipped_ones_and_failed_tests_do_not(home: Home) -> None:
    said(
        home,
        ("model.audiences.persons", "error", ""),
        ("model.audiences.decisions", "skipped", ""),
        ("model.audiences.clock", "success", ""),
        ("test.audiences.unique_persons_person_id.1", "warn", ""),
        ("test.audiences.not_null_persons.2", "pass", ""),
        ("test.audiences.skipped_one.3", "skipped", ""),
    )
    assert dbt_results.failed_models(home) == ["persons", "decisions"]
    assert dbt_results.failed_tests(home) == ["unique_persons_person_id"]


def test_before_the_first_build_nothing_failed(tmp_path: Path) -> None:
    assert dbt_results.problems(Home(tmp_path)) == []
