"""The two boundaries as asset checks: raw → staging where it is pulled, audiences → destinations where it is pushed.

A failed check blocks additions only: the plan's guards read `quality.check_results`; nothing downstream is skipped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
from dagster import AssetCheckResult, AssetCheckSeverity, AssetKey, MetadataValue

from dlt_sources.platform import Platform
from expectations.validation import CheckResult, record, validate_audiences, validate_raw
from orchestration import told, warehouse
from orchestration.activation.catalogue import Catalogue, entry
from orchestration.activation.state import State
from orchestration.console import markdown_table
from orchestration.home import Home


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Great Expectations says of one subject."""

    results: Sequence[CheckResult]

    @property
    def passed(self) -> bool:
        """True when every expectation held."""
        return all(result.success for result in self.results)

    def as_check(self, name: str, asset_key: AssetKey) -> AssetCheckResult:
        """The verdict as an asset check with a table of its expectations and redacted samples of failing rows."""
        rows = [
            (
                "passed" if result.success else "FAILED",
                result.description,
                result.evaluated,
                result.unexpected,
                result.error or ", ".join(result.sample),
            )
            for result in self.results
        ]
        columns = ["verdict", "expectation", "evaluated", "unexpected", "sample"]
        return AssetCheckResult(
            check_name=name,
            asset_key=asset_key,
            passed=self.passed,
            severity=AssetCheckSeverity.ERROR,
            metadata={
                **told.pages(Home.current()),
                "expectations": MetadataValue.md(markdown_table(columns, rows)),
                "unexpected rows": sum(result.unexpected for result in self.results),
            },
        )


def check_raw(
    connection: duckdb.DuckDBPyConnection, state: State, platform: Platform, unanswered: Mapping[str, Sequence[str]]
) -> dict[str, Verdict]:
    """Judge what this pull brought, per object, and keep the results for the build that follows.

    `unanswered` are the errors per object. They are kept beside the verdicts: who withdrew at a source that does not
    answer is not known, so nobody is added until it does.
    """
    results = validate_raw(connection, [platform], documents=Home.current().data_docs)
    answers = [
        CheckResult(
            boundary="raw",
            subject=f"{platform.name}.{obj.name}",
            check_name="source_answered",
            description="Every configured account answered this pull.",
            success=not unanswered[obj.name],
            error="; ".join(unanswered[obj.name]),
        )
        for obj in platform.objects
    ]
    record(connection, warehouse.next_build_id(state, connection), [*results, *answers])
    return {obj.name: _about(f"{platform.name}.{obj.name}", results) for obj in platform.objects}


def check_webhooks(
    connection: duckdb.DuckDBPyConnection, state: State, platforms: Sequence[Platform]
) -> defaultdict[str, Verdict]:
    """Judge the webhooks just loaded, per platform, and keep the results; a platform that sent none passes."""
    bare = [replace(platform, objects=()) for platform in platforms]
    results = validate_raw(connection, bare, documents=Home.current().data_docs) if platforms else []
    record(connection, warehouse.next_build_id(state, connection), results)
    verdicts: defaultdict[str, Verdict] = defaultdict(lambda: Verdict([]))
    verdicts.update({platform.name: _about(f"{platform.name}.webhooks", results) for platform in platforms})
    return verdicts


def check_audiences(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> list[CheckResult]:
    """Judge every audience of this build before it may leave, and keep the results."""
    entries = [entry(audience) for audience in catalogue.audiences]
    results = validate_audiences(connection, entries, documents=Home.current().data_docs)
    record(connection, catalogue.build_id, results)
    return results


def _about(subject: str, results: Sequence[CheckResult]) -> Verdict:
    return Verdict([result for result in results if result.subject == subject])
