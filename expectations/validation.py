"""Validation: may what this build brought enter staging, and may these audiences leave for their destinations?

Both questions are answered by Great Expectations in SQL on the warehouse, and the answers are kept in
`quality.check_results`. A failed check blocks additions only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from dlt_sources.platform import Platform
from expectations.evaluation import CheckResult, evaluate
from expectations.suites import audiences, raw

__all__ = ["CheckResult", "record", "validate_audiences", "validate_raw"]

Warehouse = Path | duckdb.DuckDBPyConnection
_COLUMNS = (
    "build_id bigint, boundary varchar, subject varchar, check_name varchar, description varchar, success boolean, "
    "evaluated bigint, unexpected bigint, sample varchar[], checked_at timestamptz, error varchar, seconds double"
)


def validate_raw(
    warehouse: Warehouse, platforms: Iterable[Platform], *, documents: Path | None = None
) -> list[CheckResult]:
    """Judge what the pulls since the last build brought for `platforms`; an absent or empty table passes.

    Run it before this build writes its row to `raw_audiences.builds`: afterwards nothing counts as newly pulled.
    """
    with _connected(warehouse) as connection:
        return evaluate(connection, raw.suites(platforms), documents=documents)


def validate_audiences(
    warehouse: Warehouse, catalogue: Iterable[Mapping[str, Any]], *, documents: Path | None = None
) -> list[CheckResult]:
    """Judge every audience of the catalogue; an empty audience passes, an absent one fails.

    With `documents`, a folder, the Data Docs pages are written there; `validate_raw` does the same.
    """
    with _connected(warehouse) as connection:
        return evaluate(connection, audiences.suites(catalogue), documents=documents)


def record(connection: duckdb.DuckDBPyConnection, build_id: int, results: Sequence[CheckResult]) -> None:
    """Keep the results of a build in `quality.check_results`; checking a subject again replaces its results."""
    connection.execute("create schema if not exists quality")
    connection.execute(f"create table if not exists quality.check_results ({_COLUMNS})")
    names = [column.split()[0] for column in _COLUMNS.split(", ")]
    insertion = f"insert into quality.check_results values ({', '.join(f'${name}' for name in names)})"
    written = {"build_id": build_id, "checked_at": datetime.now(UTC)}
    connection.execute("begin")
    try:
        for boundary, subject in {(result.boundary, result.subject) for result in results}:
            connection.execute(
                "delete from quality.check_results where build_id = ? and boundary = ? and subject = ?",
                [build_id, boundary, subject],
            )
        for result in results:
            connection.execute(insertion, asdict(result) | written)
    except duckdb.Error:
        connection.execute("rollback")
        raise
    connection.execute("commit")


@contextmanager
def _connected(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """The caller's connection, or one of our own that is closed again."""
    if isinstance(warehouse, duckdb.DuckDBPyConnection):
        yield warehouse
    else:
        with closing(duckdb.connect(str(warehouse))) as connection:
            yield connection
