"""Reading what a registry answered: CSV, Parquet or a DuckDB table, typed by set-based SQL.

Each row becomes what was compared, with what result; what does not fit keeps its row's number and the reason, never the
value. Files of millions of rows pass through DuckDB alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from dlt_sources.errors import ConfigurationError
from orchestration.inputs.rules import Registry
from orchestration.inputs.typing_sql import TYPED

_COLUMNS = ("identifier", "email", "e-mail", "email_address", "phone", "phone_number", "number", "address", "domain")
_CSV = "read_csv($file, all_varchar = true, header = true, ignore_errors = true, store_rejects = true)"
_PARQUET = "read_parquet($file)"
_DATABASES = (".duckdb", ".db", ".ddb")
_NO_ROWS = (
    "If the registry found nothing, say what was compared: a file of those addresses with --result clear, or "
    "--whole-list without a file."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which columns say what. `result` is of every row where the file has no such column; `reads` are its words."""

    table: str = ""
    column: str = ""
    result_column: str = ""
    since_column: str = ""
    result: str = ""
    reads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a file came to: rows by result, rows set aside by field and reason, and a mark that its content gives."""

    rows: int
    results: dict[str, int]
    misfits: dict[str, int]
    fingerprint: str

    @property
    def is_whole(self) -> bool:
        """True when every row counts; one whose day alone could not be read counts without it."""
        return all(name.startswith("since ") for name in self.misfits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """The columns of a file that matter, as the file spells them."""

    identifier: str
    result: str | None
    since: str | None


def read(file: Path, layout: Layout, registry: Registry, checked_on: date, target: Path) -> Typed:
    """Type a file into the Parquet file `target`: row, identifier, result, since, field, reason.

    Raises ConfigurationError, with the file's name and what to do, where there is nothing to read.
    """
    _check(file, layout)
    with _opened(target.parent) as connection:
        source, columns = _source(connection, file, layout)
        chosen = _chosen(file.name, columns, layout)
        _read_given(connection, file, source, chosen)
        _type(connection, registry, checked_on, layout)
        found = _found(connection)
        if not found.results:
            raise ConfigurationError(_nothing(file.name, chosen, registry, layout, found))
        connection.execute(f"COPY (FROM typed ORDER BY row) TO {_text(target)} (FORMAT parquet, COMPRESSION zstd)")
        return found


def _check(file: Path, layout: Layout) -> None:
    if not file.is_file():
        raise ConfigurationError(f"There is no file {file.name}.")
    if not file.stat().st_size:
        raise ConfigurationError(f"{file.name} is empty. {_NO_ROWS}")
    if (file.suffix in _DATABASES) != bool(layout.table):
        raise ConfigurationError(
            f"{file.name}: --table names a table of a DuckDB file ({', '.join(_DATABASES)}), and such a file needs one."
        )


@contextmanager
def _opened(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"temp_directory": str(folder / ".spill"), "preserve_insertion_order": True}) as opened:
        yield opened


def _source(connection: duckdb.DuckDBPyConnection, file: Path, layout: Layout) -> tuple[str, list[str]]:
    """The SQL to read the file with, and its columns."""
    source = _PARQUET if file.suffix == ".parquet" else _CSV
    try:
        if layout.table:
            connection.execute(f"ATTACH {_text(file)} AS given_file (READ_ONLY)")
            source = "given_file." + ".".join(_name(part) for part in layout.table.split("."))
        columns = connection.execute(f"SELECT * FROM {source} LIMIT 0", _about(source, file)).description
    except duckdb.CatalogException:
        raise ConfigurationError(f"{file.name} has no table {layout.table}: name one as schema.table.") from None
    except duckdb.Error as error:
        raise ConfigurationError(
            f"{file.name} cannot be read ({type(error).__name__}): give a CSV with a header, a Parquet file, or a "
            "DuckDB file with --table."
        ) from None
    return source, [column[0] for column in columns or ()]


def _chosen(name: str, columns: list[str], layout: Layout) -> _Columns:
    """Which column is which; ConfigurationError when that is not clear."""
    if any("@" in column or re.search(r"\d{7}", column) for column in columns):  # which no message may repeat
        raise ConfigurationError(f"{name} begins with a row: put the names of its columns first, such as email,result.")
    plain = {column.strip("\"' ").casefold(): column for column in columns}
    listed = ", ".join(plain) or "none"

    def column(option: str, asked: str) -> str | None:
        if asked and asked.casefold() not in plain:
            raise ConfigurationError(f"{name} has no column {asked!r}; it has {listed}. Mend {option}.")
        return plain[asked.casefold()] if asked else None

    identifier, result = column("--column", layout.column), column("--result-column", layout.result_column)
    since = column("--since-column", layout.since_column) or plain.get("since")
    likely = [column for column in _COLUMNS if column in plain]
    if identifier is None and len(likely) == 1:
        identifier = plain[likely[0]]
    if identifier is None:
        raise ConfigurationError(
            f"{name} has the columns {listed}: name the one with addresses or numbers by --column."
        )
    if layout.result and result:
        raise ConfigurationError(f"{name}: give --result for every row or --result-column, not both.")
    if not layout.result and result is None:
        if "result" not in plain:
            raise ConfigurationError(
                f"{name} has no column 'result'; it has {listed}. Name it by --result-column, or say by --result what "
                "every row means: listed, disconnected or clear."
            )
        result = plain["result"]
    return _Columns(identifier=identifier, result=result, since=since)


def _read_given(connection: duckdb.DuckDBPyConnection, file: Path, source: str, chosen: _Columns) -> None:
    """The three texts of every row, with its number; rows that the CSV reader cannot part come last, without them."""
    texts = [
        f"trim({_name(column)}::VARCHAR, ' \"' || chr(9)) AS {called}" if column else f"NULL::VARCHAR AS {called}"
        for called, column in (("text", chosen.identifier), ("word", chosen.result), ("day", chosen.since))
    ]
    try:
        connection.execute(
            "CREATE TEMP TABLE given AS "
            f"SELECT row_number() OVER () AS row, {', '.join(texts)}, false AS torn FROM {source}",
            _about(source, file),
        )
    except duckdb.Error as error:
        raise ConfigurationError(
            f"{file.name} cannot be read to its end ({type(error).__name__}): save it again as CSV in UTF-8, or as "
            "Parquet."
        ) from None
    if source == _CSV:
        connection.execute(
            "INSERT INTO given SELECT (SELECT count(*) FROM given) + row_number() OVER (ORDER BY line), NULL, NULL, "
            "NULL, true FROM (SELECT DISTINCT line FROM reject_errors)"
        )


def _type(connection: duckdb.DuckDBPyConnection, registry: Registry, checked_on: date, layout: Layout) -> None:
    reads = {"listed": "listed", "disconnected": "disconnected", "clear": "clear"}
    reads |= {word.strip().casefold(): result for word, result in layout.reads.items()}
    values = {
        "result": layout.result,
        "words": list(reads),
        "results": list(reads.values()),
        "kinds": [*registry.identifier_types, *(["domain"] if registry.lists_domains else [])],
        "allowed": list(registry.results),
        "checked_on": checked_on,
        # A number of ten digits on a list of the United States is one of theirs.
        "national": registry.country == "US",
    }
    connection.execute(f"CREATE TEMP TABLE typed AS {TYPED}", values)


def _found(connection: duckdb.DuckDBPyConnection) -> Typed:
    results = connection.execute(
        "SELECT result, count(*) FROM typed WHERE result IS NOT NULL GROUP BY 1 ORDER BY 1"
    ).fetchall()
    misfits = connection.execute(
        "SELECT field || ' ' || reason, count(*) FROM typed WHERE field IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    rows, mark = connection.execute(
        "SELECT count(*), bit_xor(md5_number(concat_ws(chr(31), row, identifier, result, since, field, reason))) "
        "FROM typed"
    ).fetchone() or (0, 0)
    return Typed(rows=rows, results=dict(results), misfits=dict(misfits), fingerprint=f"{rows}-{mark or 0:x}")


def _nothing(name: str, chosen: _Columns, registry: Registry, layout: Layout, found: Typed) -> str:
    """Why no row of a file counts, and what to do."""
    if not found.rows:
        return f"{name} has a header and no rows. {_NO_ROWS}"
    if any(text.startswith("result ") for text in found.misfits):
        words = f"column {chosen.result!r}" if chosen.result else f"--result {layout.result}"
        return (
            f"{name}: no row of {words} is a result of {registry.name} ({' or '.join(registry.results)}). Name another "
            "column by --result-column, or say what its words mean: --reads yes=listed --reads no=clear."
        )
    kinds = " or ".join([*registry.identifier_types, *(["domain (@example.com)"] if registry.lists_domains else [])])
    return f"{name}: no row of column {chosen.identifier!r} is an {kinds}, as {registry.name} lists. Mend --column."


def _about(source: str, file: Path) -> dict[str, str] | None:
    return {"file": str(file)} if "$file" in source else None


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
