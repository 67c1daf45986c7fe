"""What Dagster shows beside a run's figures: where its report lies, coverage of consent and age, what changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import duckdb
from dagster import MetadataValue

from orchestration.activation.changes import Change
from orchestration.activation.publish import WAREHOUSE
from orchestration.console import markdown_table
from orchestration.home import Home
from orchestration.reporting import charts, coverage, exposures
from orchestration.reporting.runs import current_path

_log = logging.getLogger(__name__)

_COVERAGE: Mapping[str, tuple[Any, Any]] = {
    "consent coverage": (coverage.ConsentCoverage, coverage.consent_coverage),
    "age coverage": (coverage.AgeCoverage, coverage.age_coverage),
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
            for name, (kind, read) in _COVERAGE.items():
                columns = [column.replace("_", " ") for column in kind.__slots__]
                found[name] = MetadataValue.md(markdown_table(columns, [astuple(row) for row in read(connection)]))
    except duckdb.Error as error:
        _log.warning("The coverage cannot be read from the published copy: %s", type(error).__name__)
    return found


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
