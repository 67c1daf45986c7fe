"""The engine: Great Expectations over the DuckDB warehouse, in SQL alone.

The only module that imports Great Expectations, which takes seconds; import it where it is needed. Two traps of this
pair are avoided here. Great Expectations reads a result after giving its connection back, so nothing may be rolled back
then: hence the three engine options. duckdb-sqlalchemy opens a file with a configuration of its own, which DuckDB
refuses beside other connections of the process: hence every cursor comes from the caller's connection.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import great_expectations
from duckdb_sqlalchemy import ConnectionWrapper
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation

from expectations.vocabulary import Expectation

_log = logging.getLogger(__name__)
_ENGINE_OPTIONS = {"pool_reset_on_return": None, "isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}


class UnexpectedRowCount(UnexpectedRowsExpectation):
    """Expect a query to return no rows, by counting them: half the work of its parent, which reads them too."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        count = metrics["unexpected_rows_query.row_count"]
        return {"success": count == 0, "result": {"observed_value": count}}


@contextmanager
def data_source(connection: duckdb.DuckDBPyConnection) -> Iterator[Any]:
    """A silent ephemeral context's only data source; its cursors end with it, so that they keep no file open."""
    context: Any = great_expectations.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    with ExitStack() as cursors:
        yield context.data_sources.add_sql(
            "warehouse",
            connection_string="duckdb://",
            create_temp_table=False,
            kwargs={
                "creator": lambda: ConnectionWrapper(cursors.enter_context(closing(connection.cursor()))),
                **_ENGINE_OPTIONS,
            },
        )


def count_unexpected(
    source: Any, name: str, rows: str, expectations: Sequence[Expectation], *, documents: Path | None = None
) -> Mapping[str, int | Exception]:
    """Evaluate expectations over the query `rows` as one suite: their names → unexpected rows, or what went wrong.

    With `documents`, a folder, the suite's page is written there.
    """
    suite = great_expectations.ExpectationSuite(name)
    for expectation in expectations:
        suite.add_expectation(
            UnexpectedRowCount(
                unexpected_rows_query=expectation.query,
                description=expectation.description,
                meta={"name": expectation.name},
            )
        )
    batch = source.add_query_asset(name, query=rows).add_batch_definition("newest").get_batch()
    validation = batch.validate(suite, result_format="BASIC")
    counts = {result.expectation_config.meta["name"]: _count(result) for result in validation.results}
    if documents is not None:
        _document(documents, name, validation)
    return counts


def _document(folder: Path, name: str, validation: Any) -> None:
    """Write the suite's page; for want of a page no check is worse."""
    from expectations.documents import write

    for result in validation.results:
        _withhold(result)
    try:
        write(folder, name, validation)
    except Exception as error:
        _log.warning("The data docs of %s could not be written: %s", name, type(error).__name__)


def _withhold(result: Any) -> None:
    """Leave the kind of what was caught, not its text: that may quote a value."""
    info = result.exception_info
    for caught in [info] if "raised_exception" in info else info.values():
        if caught["raised_exception"]:
            caught["exception_message"] = "It could not be evaluated; its check in Dagster says what may be said."
            caught["exception_traceback"] = ""


def _count(result: Any) -> int | Exception:
    """The count of one result; Great Expectations keys what it caught by metric when a query failed."""
    info = result.exception_info
    for caught in [info] if "raised_exception" in info else info.values():
        if caught["raised_exception"]:
            return RuntimeError(caught["exception_message"])
    return int(result.result["observed_value"])
