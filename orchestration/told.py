"""What Dagster shows beside a run's figures: where its report lies, coverage of consent and age, what changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import duckdb
from dagster import MetadataValue

from orchestration.activation.changes import Change
from orchestration.activation.comparison import CAUSES
from orchestration.activation.newly_eligible import NewlyEligible
from orchestration.activation.publish import WAREHOUSE
from orchestration.console import markdown_table
from orchestration.home import Home
from orchestration.reporting import charts, coverage, exposures
from orchestration.reporting.runs import current_path

_log = logging.getLogger(__name__)

#: Per measure: its rows, how they are read, what a row is about, and the parts that a bar of it is divided into.
_COVERAGE: Mapping[str, tuple[Any, Any, tuple[str, ...], tuple[str, ...]]] = {
    "consent coverage": (
        coverage.ConsentCoverage,
        coverage.consent_coverage,
        ("platform", "account", "channel"),
        ("granted", "withdrawn", "asked_only", "nothing_known"),
    ),
    "age coverage": (
        coverage.AgeCoverage,
        coverage.age_coverage,
        ("product_category", "channel"),
        ("of_age", "under_age", "in_conflict", "too_weak", "no_evidence"),
    ),
}


def pages(home: Home) -> dict[str, MetadataValue[Any]]:
    """Where the report of the run that is under way will lie when it ends, and where the data docs lie."""
    return {
        "report": MetadataValue.path(current_path(home)),
        "data docs": MetadataValue.path(home.data_docs / "index.html"),
    }


def coverage_of(home: Home) -> dict[str, MetadataValue[Any]]:
    """Consent coverage per source and age coverage per kind of goods, from the published copy; what can be read."""
    found: dict[str, MetadataValue[Any]] = {}
    # These figures are for looking at: want of them must not keep anybody from being removed.
    try:
        with duckdb.connect(str(home.published / WAREHOUSE), read_only=True) as connection:
            for name, (kind, read, about, parts) in _COVERAGE.items():
                columns, rows = [column.replace("_", " ") for column in kind.__slots__], read(connection)
                labels = [" ".join(getattr(row, column) for column in about) for row in rows]
                shares = [(part.replace("_", " "), [getattr(row, part) for row in rows]) for part in parts]
                picture = f"![{name}]({charts.standing_alone(charts.shares(labels, shares))})" if rows else ""
                table = markdown_table(columns, [astuple(row) for row in rows])
                found[name] = MetadataValue.md("\n\n".join(filter(None, (picture, table))))
    except duckdb.Error as error:
        _log.warning("The coverage cannot be read from the published copy: %s", type(error).__name__)
    return found


def newly_eligible(found: NewlyEligible | None) -> dict[str, MetadataValue[Any]]:
    """Who may be contacted now and could not in the last good build: how many count, and why, with a picture."""
    if found is None or found.base_build_id is None:
        return {"newly eligible": MetadataValue.md("There is no good build to compare with.")}
    steps = [(text, found.by_cause.get(cause, 0)) for cause, text in CAUSES.items()]
    said = f"{found.flipped:,} people of {found.people:,} count, against build {found.base_build_id}."
    picture = f"![newly eligible people]({charts.standing_alone(charts.funnel(steps))})" if found.by_cause else ""
    parts = (said, found.held_because and f"**Held.** {found.held_because}", picture)
    table = markdown_table(["why", "people"], steps)
    return {
        "newly eligible": MetadataValue.md("\n\n".join([*filter(None, parts), table])),
        "newly eligible people": MetadataValue.int(found.flipped),
    }


def exposure(connection: duckdb.DuckDBPyConnection) -> dict[str, MetadataValue[Any]]:
    """What was sent after withdrawals: how much, by whom, and a picture of it."""
    found = exposures.exposures(connection)
    columns = [name.replace("_", " ") for name in exposures.Exposure.__slots__]
    labels = [f"{one.platform} {one.channel} {one.send_kind}" for one in found]
    drawn = ""
    if found:
        drawn = f"![sends]({charts.standing_alone(charts.shares(labels, list(exposures.parts(found).items())))})\n\n"
    return {
        "sends after a withdrawal": MetadataValue.int(sum(one.sends for one in found)),
        "sent too late or after honouring": MetadataValue.int(
            sum(one.past_clock + one.after_honouring for one in found)
        ),
        "by account": MetadataValue.md(drawn + markdown_table(columns, [astuple(one) for one in found])),
    }


def changes(found: Sequence[Change] | None) -> MetadataValue[Any]:
    """People added and removed per audience since the build before."""
    rows = [
        (one.audience, one.before, sum(one.added.values()), sum(one.removed.values()), one.now) for one in found or ()
    ]
    return MetadataValue.md(markdown_table(["audience", "before", "added", "removed", "now"], rows))
