"""What people and programs read: tables, Markdown, JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestration import console
from orchestration.stations import Station


@dataclass(frozen=True)
class Thing:
    name: str
    at: datetime


def text(table: Any) -> str:
    file = StringIO()
    Console(file=file, width=150).print(table)
    return file.getvalue()


def test_json_is_one_document_of_dataclasses_times_and_paths(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    console.print_json({"things": [Thing("a", at)], "path": Path("data"), 7: None, "set": {1}})
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "things": [{"name": "a", "at": "2026-11-22T12:00:00+00:00"}], "path": "data", "7": None, "set": "{1}",
    }  # fmt: skip
    assert printed.err == ""


def test_numbers_are_grouped_and_stand_right_and_words_stand_left() -> None:
    lines = text(console.table("Title", ["word", "number"], [("a", 1234567), ("bcd", 5)])).splitlines()
    assert lines[0].strip() == "Title"
    assert [line.split() for line in lines[1:]] == [["word", "number"], ["a", "1,234,567"], ["bcd", "5"]]
    assert lines[2].rstrip().endswith("1,234,567")
    assert lines[3].rstrip().endswith("        5")


def test_a_table_without_rows_shows_its_columns() -> None:
    assert "word" in text(console.table("Title", ["word"], []))


def test_yes_no_and_nothing_are_words() -> None:
    rows = console.markdown_table(["a", "b", "c"], [(True, False, None)]).splitlines()
    assert rows[-1] == "| yes | no |  |"


def test_markdown_is_a_table_with_a_row_per_row() -> None:
    told = console.markdown_table(["step", "people"], [("interested", 12345), ("accepted", 1)])
    assert told.splitlines() == ["| step | people |", "| --- | --- |", "| interested | 12,345 |", "| accepted | 1 |"]


@pytest.mark.parametrize("value", ["a|b", "two\nlines"])
def test_a_value_cannot_break_out_of_its_markdown_cell(value: str) -> None:
    lines = console.markdown_table(["one", "two"], [(value, "x")]).splitlines()
    assert len(lines) == 3
    assert lines[2].replace("\\|", "").count("|") == 3


@pytest.mark.parametrize("value", ["[red]not markup[/red]", "[/]", "list:[x]"])
def test_a_value_in_brackets_is_shown_as_it_is(value: str) -> None:
    assert value in text(console.table("Title", ["word"], [(value,)]))


def test_a_message_keeps_the_section_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    console.out.print("Write [sources.shopify.main].")
    console.err.print("Renew [sources.shopify.main].", style="red")
    assert capsys.readouterr() == ("Write [sources.shopify.main].\n", "Renew [sources.shopify.main].\n")


def test_a_station_is_one_line_with_what_was_set_aside_and_why() -> None:
    plain = Station(name="pull", rows_in=1, quarantined=0, rows_out=1234, seconds=1.26)
    assert console.station_line(plain).split() == ["pull", "1,234", "rows", "in", "1.3", "s"]
    odd = Station(name="pull", rows_in=1, quarantined=1200, rows_out=1, seconds=0, note="no answer")
    line = console.station_line(odd)
    assert ", 1,200 quarantined" in line
    assert line.endswith("no answer")
    assert "\n" not in line


def test_the_table_of_stations_has_a_row_each() -> None:
    names = ["pull Klaviyo", "dbt build"]
    some = [Station(name=name, rows_in=5, quarantined=2, rows_out=3, seconds=0.123, note="n") for name in names]
    told = text(console.stations_table(some))
    assert all(name in told for name in names)
    assert "0.1" in told
