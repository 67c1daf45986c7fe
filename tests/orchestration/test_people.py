"""Who was who outlives the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration import people, warehouse
from orchestration.home import Home

Row = tuple[str | None, str, str | None, str | None, int | None]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.state.mkdir(parents=True)
    return home


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        warehouse.ensure_raw(connection, [], [])
        yield connection


def built(connection: duckdb.DuckDBPyConnection, *rows: Row) -> None:
    """What the models found: the person of each record, and events."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS intermediate")
    connection.execute(
        "CREATE OR REPLACE TABLE intermediate.person_ids "
        "(record_key VARCHAR, person_id VARCHAR, event VARCHAR, other VARCHAR, at_build BIGINT)"
    )
    for row in rows:
        connection.execute("INSERT INTO intermediate.person_ids VALUES (?, ?, ?, ?, ?)", row)


def known(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, str], list[tuple[str, str, str, int]]]:
    ids = connection.execute("FROM raw_audiences.person_ids").fetchall()
    return dict(ids), connection.execute("FROM raw_audiences.person_history ORDER BY ALL").fetchall()


FIRST = [("a", "p_a", None, None, None), (None, "p_a", "born", "a", 1)]
SECOND = [("a", "p_a", None, None, None), ("b", "p_b", None, None, None), (None, "p_b", "born", "b", 2)]


def test_a_rebuilt_warehouse_knows_who_was_who(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    built(connection, *FIRST)
    assert people.keep(home, connection, 1)
    built(connection, *SECOND)
    assert people.keep(home, connection, 2)
    with duckdb.connect() as rebuilt:
        warehouse.ensure_raw(rebuilt, [], [])
        assert people.recall(home, rebuilt)
        assert known(rebuilt) == known(connection)
        assert known(rebuilt) == ({"a": "p_a", "b": "p_b"}, [("p_a", "born", "a", 1), ("p_b", "born", "b", 2)])
        assert not people.recall(home, rebuilt)


def test_keeping_a_build_again_changes_nothing(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    built(connection, *FIRST)
    people.keep(home, connection, 1)
    before = known(connection)
    assert not people.keep(home, connection, 1)
    assert known(connection) == before


def test_a_build_that_finds_everybody_as_before_writes_nothing(
    home: Home, connection: duckdb.DuckDBPyConnection
) -> None:
    built(connection, *FIRST)
    people.keep(home, connection, 1)
    written = (home.state / "persons.parquet").stat().st_mtime_ns
    built(connection, FIRST[0])
    assert not people.keep(home, connection, 2)
    assert (home.state / "persons.parquet").stat().st_mtime_ns == written


def test_events_are_told_once_however_often_a_build_decides_anew(
    home: Home, connection: duckdb.DuckDBPyConnection
) -> None:
    built(connection, *FIRST)
    people.keep(home, connection, 1)
    assert not people.keep(home, connection, 2)
    built(connection, ("a", "p_b", None, None, None), FIRST[1])
    assert people.keep(home, connection, 3)
    assert known(connection) == ({"a": "p_b"}, [("p_a", "born", "a", 1)])


def test_a_warehouse_that_knows_more_than_a_restored_state_is_believed(
    home: Home, connection: duckdb.DuckDBPyConnection
) -> None:
    built(connection, *FIRST)
    people.keep(home, connection, 1)
    older = (home.state / "persons.parquet").read_bytes()
    built(connection, *SECOND)
    people.keep(home, connection, 2)
    (home.state / "persons.parquet").write_bytes(older)
    assert not people.recall(home, connection)
    assert known(connection)[0] == {"a": "p_a", "b": "p_b"}


def test_a_lost_state_is_written_anew_from_the_warehouse(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    built(connection, *FIRST)
    people.keep(home, connection, 1)
    (home.state / "persons.parquet").unlink()
    built(connection, FIRST[0])
    people.keep(home, connection, 2)
    with duckdb.connect() as rebuilt:
        warehouse.ensure_raw(rebuilt, [], [])
        assert people.recall(home, rebuilt)
        assert known(rebuilt)[0] == {"a": "p_a"}


def test_a_damaged_file_is_laid_aside_and_stops_no_build(
    home: Home, connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    built(connection, *FIRST)
    people.keep(home, connection, 1)
    whole = (home.state / "persons.parquet").read_bytes()
    (home.state / "persons.parquet").write_bytes(whole[: len(whole) // 2])
    with duckdb.connect() as rebuilt:
        warehouse.ensure_raw(rebuilt, [], [])
        assert not people.recall(home, rebuilt)
        assert known(rebuilt) == ({}, [])
    assert "put it back from a backup" in caplog.text
    assert (home.state / "persons.damaged").exists()
    people.keep(home, connection, 1)
    assert (home.state / "persons.parquet").exists()


def test_where_nothing_was_kept_there_is_nothing_to_recall(home: Home, connection: duckdb.DuckDBPyConnection) -> None:
    assert not people.recall(home, connection)
    assert not people.keep(home, connection, 1)
    assert known(connection) == ({}, [])
