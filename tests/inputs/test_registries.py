"""How registries stand: what is open, until when, and what a comparison is wanting for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.home import Home
from orchestration.inputs import receipts, registries
from orchestration.inputs.reading import Layout
from orchestration.inputs.registries import Standing
from tests.inputs.published import NOW, publish

UTAH = "child_protection_utah"
GUARD = ("INSERT INTO intermediate.registry_guards VALUES ('q', ?, ?)", [UTAH, None])
QUESTION: tuple[str, list[Any]] = ("INSERT INTO marts.questions VALUES ('q', 'email', 'vape', '*')", [])


def compared(days: float, identifier: str | None = None, registry: str = UTAH) -> tuple[str, list[Any]]:
    values = [registry, identifier, (identifier or "").startswith("@"), "clear", NOW - timedelta(days=days)]
    return "INSERT INTO intermediate.registry_receipts VALUES (?, ?, ?, ?, ?)", values


def refused(*people: str) -> list[tuple[str, list[Any]]]:
    sql = "INSERT INTO marts.decisions VALUES (?, 'q', ['registry_stale', 'no_grant'], now(), 'email', '')"
    return [(sql, [one]) for one in people]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def utah(home: Home) -> Standing:
    with duckdb.connect(str(home.published_warehouse), read_only=True) as connection:
        found = {one.registry: one for one in registries.standing(home, connection, NOW)}
    return found[UTAH]


def test_without_a_comparison_what_it_guards_is_closed_and_said_with_the_command(home: Home) -> None:
    publish(home, GUARD, QUESTION, *refused("p_1", "p_2"))
    found = utah(home)
    assert (found.state, found.asked, found.waiting) == ("closed", ["email about vape"], 2)
    [text] = registries.wanting([found])
    assert "never compared" in text
    assert "email about vape" in text
    assert f"audiences registry import FILE --registry {UTAH} --checked-on DAY" in text


def test_a_comparison_of_the_whole_list_counts_for_thirty_days(home: Home) -> None:
    publish(home, GUARD, QUESTION, compared(40), compared(29.9))
    assert (utah(home).state, utah(home).until) == ("open", NOW + timedelta(days=0.1))
    publish(home, GUARD, QUESTION, compared(30.1))
    found = utah(home)
    assert (found.state, found.keeps_closed) == ("closed", True)
    assert found.last_checked_on == (NOW - timedelta(days=30.1)).date()


def test_comparisons_of_some_open_for_those_and_say_who_waits(home: Home) -> None:
    own = [compared(1, "a@b.c"), compared(2, "a@b.c"), compared(40, "old@b.c"), compared(1, "@b.c")]
    publish(home, GUARD, QUESTION, *own)
    found = utah(home)
    assert (found.state, found.compared, found.keeps_closed) == ("some", 1, False)
    publish(home, GUARD, QUESTION, *own, *refused("p_1"))
    assert utah(home).keeps_closed


def test_a_receipt_that_no_build_has_loaded_is_said(home: Home) -> None:
    publish(home, GUARD, QUESTION)
    today = NOW.date()
    done = receipts.keep(home, None, Layout(), registry=UTAH, checked_on=today, whole_list=True, actor="jo")
    found = utah(home)
    assert (found.state, found.unloaded, found.last_checked_on) == ("closed", 1, today)
    assert "audiences run" in next(registries.wanting([found]))
    receipts.retract(home, done.receipt.import_id, actor="jo", reason="too soon")
    assert utah(home).unloaded == 0


def test_what_no_audience_asks_keeps_nothing_closed(home: Home) -> None:
    publish(home)
    with duckdb.connect(str(home.published_warehouse), read_only=True) as connection:
        found = registries.standing(home, connection, NOW)
    assert {one.registry: one.state for one in found} == {
        UTAH: "not_asked", "child_protection_michigan": "not_asked", "do_not_call_us": "not_needed",
        "reassigned_numbers_us": "not_needed",
    }  # fmt: skip
    assert list(registries.wanting(found)) == []


def test_before_the_first_build_it_is_said_what_was_brought(home: Home) -> None:
    receipts.keep(home, None, Layout(), registry=UTAH, checked_on=NOW.date(), whole_list=True, actor="jo")
    found = registries.standing(home, None, NOW)[0]
    assert (found.registry, found.unloaded, found.last_checked_on) == (UTAH, 1, NOW.date())
