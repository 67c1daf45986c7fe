"""How the command line shows things: stations, funnels and plans as tables, answers as text, or all of it as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.stations import Station

#: Columns when nobody's terminal says otherwise: wide enough for our tables in a log or a file.
_WIDTH = 150
# No markup: messages name sections such as [sources.shopify.main], which must not be taken for it.
out = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _WIDTH)
err = Console(stderr=True, highlight=False, markup=False, width=None if sys.stderr.isatty() else _WIDTH)


def print_json(value: Any) -> None:
    """Print one JSON document; dataclasses, times and paths included."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    print(orjson.dumps(value, default=str, option=options).decode())  # noqa: T201 (the command's answer)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A table whose numbers are right-aligned and grouped."""
    numeric = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    result = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for name, is_number in zip(columns, numeric, strict=True):
        result.add_column(name, justify="right" if is_number else "left")
    for row in rows:
        result.add_row(*(Text(_cell(value)) for value in row))
    return result


def station_line(station: Station) -> str:
    """One line about a station that just ended."""
    note = f"  {station.note}" if station.note else ""
    aside = f", {station.quarantined:,} quarantined" if station.quarantined else ""
    return f"  {station.name:<22} {station.rows_out:>9,} rows{aside} in {station.seconds:.1f} s{note}"


def stations_table(stations: Sequence[Station]) -> Table:
    """The stations of a run."""
    rows = [(s.name, s.rows_in, s.quarantined, s.rows_out, round(s.seconds, 1), s.note) for s in stations]
    return table("Stations", ["station", "rows in", "quarantined", "rows out", "seconds", "note"], rows)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table for Dagster metadata."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_markdown_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _markdown_cell(value: Any) -> str:
    return " ".join(_cell(value).replace("|", "\\|").split())


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int | float):
        return f"{value:,}"
    return str(value)
