"""Evaluation: turns suites into check results, whatever state the tables are in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import duckdb

from expectations.suites import Boundary, Suite
from expectations.vocabulary import Expectation

#: References kept per failed check.
SAMPLE = 5
_ERROR = re.compile(r"\b([A-Z][A-Za-z ]+ Error): ([^\n]+)")
#: Complaints about the shape of tables name columns; all other complaints may quote values.
_STRUCTURAL = ("Binder Error", "Catalog Error")
_NO_RESULT = LookupError("Great Expectations gave no result")
#: Expectation → unexpected rows or what went wrong with it; or what went wrong with all of them.
_Counts: TypeAlias = Mapping[str, int | Exception] | Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How one expectation ended for one table; a dbt test that is kept beside them has the boundary `model`.

    `evaluated` counts rows, `unexpected` rows or, for expectations about columns, columns. `sample` holds redacted
    references: `platform:object:<first 12 digits of the payload hash>`, person ids or column names. `error` says why
    an expectation could not be evaluated. `seconds` is an equal share of the suite's time.
    """

    boundary: Boundary | Literal["model"]
    subject: str
    check_name: str
    description: str
    success: bool
    evaluated: int = 0
    unexpected: int = 0
    sample: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Batch:
    """The rows of a suite's table that are judged, as a query; `judged` names the expectations that apply to it."""

    suite: Suite
    query: str
    evaluated: int
    judged: tuple[Expectation, ...]
    error: str = ""


def evaluate(
    connection: duckdb.DuckDBPyConnection, suites: Iterable[Suite], *, documents: Path | None = None
) -> list[CheckResult]:
    """Evaluate every suite; what cannot be evaluated is a failed check with its reason, never an exception.

    With `documents`, a folder, Great Expectations' page of each suite is written there.
    """
    batches = [_batch(connection, suite) for suite in suites]
    counted: list[_Counts] = [{} for _ in batches]
    seconds = [0.0 for _ in batches]
    if any(batch.judged for batch in batches):
        try:
            from expectations import engine

            with engine.data_source(connection) as source:
                for place, batch in enumerate(batches):
                    started = time.perf_counter()
                    counted[place] = _count(source, batch, documents)
                    seconds[place] = (time.perf_counter() - started) / len(batch.suite.expectations)
        except Exception as failure:
            counted = [failure for _ in batches]
    return [
        result
        for batch, counts, share in zip(batches, counted, seconds, strict=True)
        for result in _results(connection, batch, counts, share)
    ]


def _count(source: object, batch: _Batch, documents: Path | None) -> _Counts:
    from expectations import engine

    if not batch.judged:
        return {}
    try:
        return engine.count_unexpected(source, batch.suite.name, batch.query, batch.judged, documents=documents)
    except Exception as failure:
        return failure


def _batch(connection: duckdb.DuckDBPyConnection, suite: Suite) -> _Batch:
    """Find and count the rows to judge; a condition on rows that fails leaves only the columns to judge."""
    table, found, evaluated, error = f'"{suite.schema}"."{suite.table}"', {"nothing"}, 0, ""
    query = "select null as nothing where false"
    exists = connection.execute(
        "select 1 from information_schema.tables where table_schema = ? and table_name = ?", [suite.schema, suite.table]
    ).fetchone()
    if exists:
        found.add("table")
        query = f"select * from {table} where {suite.rows}"
        try:
            evaluated = _first(connection, f"select count(*) from ({query})")
        except duckdb.Error as failure:
            query, error = f"select * from {table}", _message(failure)
    if evaluated:
        found.add("rows")
    judged = tuple(expectation for expectation in suite.expectations if expectation.needs in found)
    return _Batch(suite, query, evaluated, judged, error)


def _results(
    connection: duckdb.DuckDBPyConnection, batch: _Batch, counts: _Counts, seconds: float
) -> Iterator[CheckResult]:
    for expectation in batch.suite.expectations:
        count: int | Exception = 0
        error, judged = batch.error, expectation in batch.judged
        if judged:
            count = counts if isinstance(counts, Exception) else counts.get(expectation.name, _NO_RESULT)
            error = _message(count) if isinstance(count, Exception) else ""
        unexpected = count if isinstance(count, int) else 0
        yield CheckResult(
            boundary=batch.suite.boundary,
            subject=batch.suite.subject,
            check_name=expectation.name,
            description=expectation.description,
            success=not (unexpected or error),
            evaluated=batch.evaluated if judged else 0,
            unexpected=unexpected,
            sample=_sample(connection, batch, expectation) if unexpected else (),
            error=error,
            seconds=seconds,
        )


def _sample(connection: duckdb.DuckDBPyConnection, batch: _Batch, expectation: Expectation) -> tuple[str, ...]:
    """The first references in their own order, so that the same rows give the same sample."""
    query = expectation.query.format(batch=f"({batch.query})")
    try:
        rows = connection.execute(
            f"select distinct reference from ({query}) order by reference limit {SAMPLE}"
        ).fetchall()
    except duckdb.Error:
        return ()  # counting leaves the references out; the count stands without them
    return tuple(_named(batch.suite, reference) for (reference,) in rows)


def _named(suite: Suite, reference: str) -> str:
    """A raw version is named after its table; a person or a column already says what it is."""
    if suite.boundary == "audience" or reference.startswith("column "):
        return reference
    return f"{suite.subject.replace('.', ':')}:{reference}"


def _message(failure: Exception) -> str:
    found = _ERROR.search(str(failure))
    if found and found[1] in _STRUCTURAL:
        return found[0]
    kind = found[1] if found else type(failure).__name__
    return f"{kind} stopped this check; its text is withheld because it may quote a value."


def _first(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
