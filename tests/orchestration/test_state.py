"""The state stores: their schema comes from migrations alone, processes may start together, times keep their zone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from dlt_sources.errors import ConfigurationError
from orchestration.activation import migrations
from orchestration.activation.migrations import upgrade
from orchestration.activation.state import (
    State,
    builds,
    deliveries_metadata,
    ledger_keys,
    ledger_metadata,
    membership_keys,
)
from orchestration.home import Home

STORES = {"ledger": ledger_metadata, "deliveries": deliveries_metadata}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state")
    yield opened
    opened.close()


def engine_of(state: State, store: str) -> Engine:
    return state.ledger if store == "ledger" else state.deliveries


@pytest.mark.parametrize("store", STORES)
def test_migrations_from_nothing_give_the_tables_that_the_code_uses(state: State, store: str) -> None:
    with engine_of(state, store).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, STORES[store]) == []


@pytest.mark.parametrize("store", STORES)
def test_a_column_that_no_migration_makes_would_be_noticed(state: State, store: str) -> None:
    """The test above is only worth something if it can fail."""
    table = STORES[store].sorted_tables[0].name
    with engine_of(state, store).connect() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN forgotten TEXT")
        context = MigrationContext.configure(connection)
        assert "forgotten" in str(compare_metadata(context, STORES[store]))


@pytest.mark.parametrize("store", STORES)
def test_migrations_are_numbered_in_one_chain(store: str) -> None:
    """The head is found by file name, without Alembic; that is right only while this holds."""
    folder = Path(migrations.__file__).parent / store / "versions"
    names = sorted(path.stem for path in folder.glob("[0-9]*.py"))
    assert names
    for name, before in zip(names, [None, *names], strict=False):
        text = (folder / f"{name}.py").read_text()
        assert f'revision = "{name}"' in text
        assert f"down_revision = {repr(before).replace(chr(39), chr(34))}" in text


def test_opening_again_migrates_nothing_and_does_not_import_alembic(state: State) -> None:
    code = (
        "import sys; from pathlib import Path; from orchestration.activation.state import State; "
        "State(Path(sys.argv[1])).close(); print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(state.folder)]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == "False\n"


def test_processes_that_open_fresh_stores_together_all_find_them_ready(tmp_path: Path) -> None:
    state, go = tmp_path / "state", tmp_path / "go"
    code = (
        "import sys; from pathlib import Path; from orchestration.activation.state import State\n"
        "print('ready', flush=True)\n"
        "while not Path(sys.argv[2]).exists(): pass\n"
        "opened = State(Path(sys.argv[1]))\n"
        'with opened.write_ledger() as connection: connection.exec_driver_sql("INSERT INTO builds (as_of, started_at)'
        " VALUES ('2026-11-22 00:00:00', '2026-11-22 00:00:00')\")\n"
        "opened.close()"
    )
    command = [sys.executable, "-c", code, str(state), str(go)]
    starting = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    go.touch()
    for process in starting:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    opened = State(state)
    with opened.ledger.connect() as connection:
        assert len(connection.execute(select(builds)).all()) == 3
    opened.close()


def test_a_store_that_was_migrated_by_a_later_version_is_refused(state: State) -> None:
    """Going on with unknown tables could miss suppressions."""
    with state.ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        upgrade("ledger", state.ledger, state.folder)


def test_a_time_comes_back_in_utc_whatever_zone_it_had(state: State) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=-5)))
    with state.write_ledger() as connection:
        connection.execute(insert(builds).values(as_of=noon, started_at=noon.astimezone(UTC)))
    with state.ledger.connect() as connection:
        row = connection.execute(select(builds)).one()
    assert row.as_of == row.started_at == noon
    assert (row.as_of.utcoffset(), row.decided_at) == (timedelta(0), None)


def test_a_time_without_a_zone_is_refused(state: State) -> None:
    naive = datetime(2026, 11, 22, 12)  # noqa: DTZ001 (that is the point)
    with pytest.raises(StatementError, match="without a zone"), state.write_ledger() as connection:
        connection.execute(insert(builds).values(as_of=naive, started_at=naive))


def test_times_compare_in_the_order_of_the_clock(state: State) -> None:
    early = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=9)))
    late = datetime(2026, 11, 22, 4, tzinfo=UTC)
    with state.write_ledger() as connection:
        for at in (late, early):
            connection.execute(insert(builds).values(as_of=at, started_at=at))
    with state.ledger.connect() as connection:
        assert connection.execute(select(builds.c.as_of).order_by(builds.c.as_of)).scalars().all() == [early, late]
        assert connection.execute(select(builds.c.as_of).where(builds.c.as_of < late)).scalars().all() == [early]


def test_a_failed_transaction_leaves_nothing(state: State) -> None:
    now = datetime.now(UTC)

    def write_twice() -> None:
        with state.write_ledger() as connection:
            for _ in range(2):
                connection.execute(insert(builds).values(build_id=1, as_of=now, started_at=now))

    with pytest.raises(IntegrityError):
        write_twice()
    with state.ledger.connect() as connection:
        assert connection.execute(select(builds)).all() == []


@pytest.mark.parametrize("keys", [ledger_keys, membership_keys])
def test_a_key_of_nothing_is_refused(state: State, keys: type[ledger_keys]) -> None:
    parent = next(iter(keys.foreign_keys)).parent.name
    write = state.write_ledger if keys is ledger_keys else state.write_deliveries
    with pytest.raises(IntegrityError), write() as connection:
        connection.execute(insert(keys).values(**{"key_hash": "h", parent: "nothing"}))


def test_the_stores_are_durable_and_let_readers_beside_a_writer(state: State) -> None:
    for store in STORES:
        with engine_of(state, store).connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    with state.write_ledger(), sqlite3.connect(state.folder / "ledger.db", timeout=0) as reader:
        assert reader.execute("SELECT count(*) FROM builds").fetchone() == (0,)
    reader.close()


def test_a_writer_waits_for_another_one_instead_of_failing(state: State) -> None:
    code = (
        "import sys, time; from pathlib import Path; from orchestration.activation.state import State\n"
        "opened = State(Path(sys.argv[1]))\n"
        "with opened.write_ledger() as connection:\n"
        "    print('holding', flush=True); time.sleep(0.5)\n"
        "opened.close()"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(state.folder)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "holding\n"
    now = datetime.now(UTC)
    with state.write_ledger() as connection:
        connection.execute(insert(builds).values(as_of=now, started_at=now))
    assert other.wait(10) == 0
    other.stdout.close()


def test_the_urls_of_the_environment_point_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIENCES_LEDGER_URL", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    opened = State.of(Home(tmp_path))
    opened.close()
    assert (tmp_path / "elsewhere.db").exists()
    assert not (tmp_path / "data" / "state" / "ledger.db").exists()
    assert (tmp_path / "data" / "state" / "deliveries.db").exists()


def test_a_ledger_is_refused_under_another_key_than_its_own(state: State) -> None:
    (state.folder / "key").write_text("ab" * 32)
    with pytest.raises(ConfigurationError, match="not the key that this ledger is written with"):
        State(state.folder)
