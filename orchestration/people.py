"""Who was who: the person of each record, kept in the state folder, so that no rebuilt warehouse gives an id anew.

The models read `raw_audiences.person_ids` and `person_history`, which hold what the last good build found. One file in
the state holds the same; whichever of the two is of the later build is believed. Where both are lost, ids derive from
the first-seen records again, as they did at first.
"""

from __future__ import annotations

import logging
import os

import duckdb

from orchestration.home import Home
from orchestration.warehouse import has_table

_log = logging.getLogger(__name__)
_FILE = "persons.parquet"
_TABLES = {
    "person_ids": "SELECT record_key, person_id FROM {} WHERE event IS NULL",
    "person_history": "SELECT person_id, event, other, at_build FROM {} WHERE event IS NOT NULL",
}


def recall(home: Home, connection: duckdb.DuckDBPyConnection) -> bool:
    """Bring what the state holds into a warehouse that knows less; returns whether there was anything to bring."""
    path = home.state / _FILE
    try:
        if not path.exists() or _build_of_file(connection, str(path)) <= _build_of_warehouse(connection):
            return False
        connection.execute(f"CREATE OR REPLACE TEMP TABLE recalled AS FROM read_parquet('{_quoted(str(path))}')")
    except duckdb.InvalidInputException:
        # Damaged is as good as lost: no build, and so no removal, waits for it.
        aside = path.replace(path.with_suffix(".damaged"))
        _log.error("data/state/%s cannot be read and is now %s: put it back from a backup.", path.name, aside.name)
        return False
    tables = {name: query.format("recalled") for name, query in _TABLES.items()}
    _replace(connection, tables, _build_of_file(connection, str(path)))
    return True


def keep(home: Home, connection: duckdb.DuckDBPyConnection, build_id: int) -> bool:
    """Note the persons of a good build, in the warehouse and in the state; returns whether any was other than before.

    Repeating it changes nothing. Before the first build of the models there is nothing to keep.
    """
    if not has_table(connection, "intermediate", "person_ids"):
        return False
    known, path = _build_of_warehouse(connection), home.state / _FILE
    # A build that only decides anew finds the persons, and the events, of the one before.
    news = connection.execute(
        "SELECT EXISTS (FROM intermediate.person_ids AS found WHERE at_build > ? OR event IS NULL AND NOT EXISTS ("
        "FROM raw_audiences.person_ids AS kept WHERE kept.record_key = found.record_key"
        " AND kept.person_id = found.person_id))",
        [known],
    ).fetchone()
    if build_id <= known or not (news and news[0]):
        if known and not path.exists():
            _write(home, connection, known)
        return False
    history = "SELECT * FROM raw_audiences.person_history"
    found = {name: query.format("intermediate.person_ids") for name, query in _TABLES.items()}
    told = f"{history} UNION ALL {found['person_history']} AND at_build > {known}"
    _replace(connection, found | {"person_history": told}, build_id)
    _write(home, connection, build_id)
    return True


def _replace(connection: duckdb.DuckDBPyConnection, queries: dict[str, str], build_id: int) -> None:
    connection.execute("BEGIN")
    for name, query in queries.items():
        connection.execute(f"CREATE OR REPLACE TABLE raw_audiences.{name} AS {query}")
    connection.execute(f"COMMENT ON TABLE raw_audiences.person_ids IS '{build_id}'")
    connection.execute("COMMIT")


def _write(home: Home, connection: duckdb.DuckDBPyConnection, build_id: int) -> None:
    """Write the file whole or not at all."""
    draft = home.state / f"{_FILE}.tmp"
    connection.execute(
        "COPY (SELECT record_key, person_id, NULL::VARCHAR AS event, NULL::VARCHAR AS other, NULL::BIGINT AS at_build "
        "FROM raw_audiences.person_ids UNION ALL BY NAME FROM raw_audiences.person_history) "
        f"TO '{_quoted(str(draft))}' (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{build: '{build_id}'}})"
    )
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.chmod(0o600)
    draft.replace(home.state / _FILE)


def _build_of_warehouse(connection: duckdb.DuckDBPyConnection) -> int:
    found = connection.execute(
        "SELECT comment FROM duckdb_tables() WHERE schema_name = 'raw_audiences' AND table_name = 'person_ids'"
    ).fetchone()
    return int(found[0]) if found and found[0] else 0


def _build_of_file(connection: duckdb.DuckDBPyConnection, path: str) -> int:
    found = connection.execute(
        "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = 'build'", [path]
    ).fetchone()
    return int(found[0]) if found else 0


def _quoted(text: str) -> str:
    return text.replace("'", "''")
