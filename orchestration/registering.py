"""`audiences registry`: bringing what registries answered, and saying how each stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from dlt_sources.errors import ConfigurationError
from orchestration import console
from orchestration.home import Home
from orchestration.inputs import receipts, registries, rules
from orchestration.inputs.reading import Layout
from orchestration.inputs.receipts import Kept, Receipt

_RESULTS = ("listed", "disconnected", "clear")
#: Characters of an id that are shown, and enough to name a receipt by.
_SHORT = 12
_STATES = {
    "open": "open",
    "some": "open for those compared",
    "closed": "CLOSED",
    "not_asked": "no audience asks",
    "not_needed": "closes only what it has",
}


def words(reads: Sequence[str]) -> dict[str, str]:
    """What words of a file mean; ConfigurationError for what is no word=result."""
    found = {}
    for text in reads:
        word, _, result = text.rpartition("=")
        if not word or result not in _RESULTS:
            raise ConfigurationError(f"--reads {text!r}: write word=result, with one of {', '.join(_RESULTS)}.")
        found[word] = result
    return found


def bring(
    file: Path | None,
    layout: Layout,
    *,
    registry: str,
    checked_on: str,
    whole_list: bool,
    actor: str,
    as_json: bool,
) -> int:
    """Keep a receipt and say what was read; 1 when rows of it were set aside."""
    try:
        day = date.fromisoformat(checked_on)
    except ValueError:
        raise ConfigurationError(f"--checked-on {checked_on!r} is no day: write it as 2026-11-22.") from None
    done = receipts.keep(
        Home.current(), file, layout, registry=registry, checked_on=day, whole_list=whole_list, actor=actor
    )
    if as_json:
        console.print_json({**asdict(done.receipt), "set_aside": done.receipt.set_aside, "is_repeat": done.is_repeat})
    else:
        _print_kept(done, whole_list=whole_list)
    return 1 if done.receipt.set_aside else 0


def show(*, as_json: bool) -> int:
    """Print how each registry stands and what was brought; 1 when one of them keeps something closed."""
    home, now = Home.current(), datetime.now(UTC)
    with _published(home) as connection:
        found = registries.standing(home, connection, now)
    kept = receipts.kept(home)
    if as_json:
        console.print_json({"registries": [asdict(one) for one in found], "receipts": [asdict(one) for one in kept]})
    else:
        _print_standing(found, kept)
    return 1 if any(one.keeps_closed for one in found) else 0


def bring_all(home: Home, *, actor: str) -> list[str]:
    """Bring, for every registry that closes something, that the whole list was compared today and nothing found.

    For people who do not exist; returns the names of the registries.
    """
    needed = [one.name for one in rules.registries().values() if one.needed]
    today = datetime.now(UTC).date()
    for name in needed:
        receipts.keep(home, None, Layout(), registry=name, checked_on=today, whole_list=True, actor=actor)
    return needed


def retract(beginning: str, *, actor: str, reason: str, as_json: bool) -> int:
    """Take a receipt back and say so."""
    receipt = receipts.retract(Home.current(), beginning, actor=actor, reason=reason)
    if as_json:
        console.print_json(asdict(receipt))
    else:
        console.out.print(
            f"Took back the receipt of {receipt.registry} of {receipt.checked_on}: it counts no more from the next "
            "build on (audiences run). What was decided by it stays on record."
        )
    return 0


@contextmanager
def _published(home: Home) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """The published copy; None before the first build."""
    if not home.published_warehouse.exists():
        yield None
        return
    with duckdb.connect(str(home.published_warehouse), read_only=True) as connection:
        yield connection


def _print_kept(done: Kept, *, whole_list: bool) -> None:
    out, receipt = console.out, done.receipt
    if done.is_repeat:
        out.print(
            f"This was brought before, by {receipt.actor} on {receipt.imported_at:%Y-%m-%d %H:%M} UTC, and counts "
            f"once: receipt {receipt.import_id[:_SHORT]}."
        )
    else:
        told = ", ".join(f"{count:,} {result}" for result, count in receipt.results.items())
        what = [told] if told else []
        what += ["everybody else of the whole list was compared and not found"] if receipt.whole_list else []
        out.print(
            f"Receipt {receipt.import_id[:_SHORT]} of {receipt.registry}, {receipt.checked_on}: {'; '.join(what)}."
        )
        out.print("  It counts with the next build (audiences run); audiences registry list shows until when.")
    for name, count in receipt.misfits.items():
        console.err.print(f"  set aside: {count:,} rows, {name.replace(' ', ': ')}", style="red")
    if whole_list and not receipt.whole_list:
        console.err.print(
            "  The whole list does not count as compared while rows of it cannot be read: who is in them is not known. "
            "Mend the file and bring it again.",
            style="red",
        )


def _print_standing(found: Sequence[registries.Standing], kept: Sequence[Receipt]) -> None:
    out = console.out
    rows = [
        (
            one.registry,
            ", ".join(one.asked) or f"{', '.join(one.channels)}: {', '.join(one.categories)}",
            one.last_checked_on or "never",
            f"{one.until:%Y-%m-%d %H:%M} UTC" if one.until else "",
            one.compared,
            one.waiting,
            _STATES[one.state] + (", newest not loaded yet" if one.unloaded else ""),
        )
        for one in found
    ]
    columns = [
        "registry",
        "guards",
        "compared on",
        "whole list counts until",
        "compared alone",
        "people waiting",
        "now",
    ]
    out.print(console.table("Registries", columns, rows))
    if kept:
        brought = [
            (
                one.import_id[:_SHORT],
                one.registry,
                one.checked_on,
                "whole list" if one.whole_list else "those named",
                ", ".join(f"{count:,} {result}" for result, count in one.results.items()),
                one.set_aside,
                one.actor,
                f"taken back by {one.retracted.actor}" if one.retracted else "",
            )
            for one in kept
        ]
        columns = ["receipt", "registry", "compared on", "what", "found", "set aside", "brought by", ""]
        out.print(console.table("Receipts", columns, brought))
    for text in registries.wanting(found):
        out.print(f"- {text}")
