"""The warehouse: one DuckDB file, one process at a time, and the raw tables that the house itself writes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import orjson
from filelock import FileLock, Timeout
from sqlalchemy import func, insert, select

from dlt_sources import registry
from dlt_sources.accounts import Account
from dlt_sources.errors import AudiencesError
from dlt_sources.platform import Platform
from orchestration.activation.state import State, builds
from orchestration.home import Home

if TYPE_CHECKING:
    from dlt_sources.pull import Pulled

_VERSION = (
    "account VARCHAR, record_id VARCHAR, updated_at TIMESTAMPTZ, extracted_at TIMESTAMPTZ, payload JSON, "
    "payload_hash VARCHAR"
)
_WEBHOOK = f"{_VERSION}, landing_id VARCHAR, topic VARCHAR, lane VARCHAR, received_at TIMESTAMPTZ"
_OWN_TABLES = {
    "builds": "build_id BIGINT, as_of TIMESTAMPTZ, known_at TIMESTAMPTZ, started_at TIMESTAMPTZ",
    "contacts": (
        "platform VARCHAR, account VARCHAR, object VARCHAR, contacted_at TIMESTAMPTZ, schedule_seconds BIGINT"
    ),
    "accounts": (
        "platform VARCHAR, account VARCHAR, brand VARCHAR, default_region VARCHAR, markets VARCHAR[], external_ids JSON"
    ),
    "webhooks": _WEBHOOK,
    "honours": (
        "answer VARCHAR, answer_id VARCHAR, platform VARCHAR, account VARCHAR, channel VARCHAR, identifier VARCHAR, "
        "record_id VARCHAR, accepted_at TIMESTAMPTZ"
    ),
    "writes": (
        "write_id VARCHAR, platform VARCHAR, account VARCHAR, channel VARCHAR, key_hash VARCHAR, "
        "identifier_type VARCHAR, identifier VARCHAR, written_at TIMESTAMPTZ"
    ),
    "person_ids": "record_key VARCHAR, person_id VARCHAR",
    "person_history": "person_id VARCHAR, event VARCHAR, other VARCHAR, at_build BIGINT",
    "registry_receipts": (
        "receipt_id VARCHAR, registry VARCHAR, identifier VARCHAR, result VARCHAR, since DATE, "
        "compared_at TIMESTAMPTZ, recorded_at TIMESTAMPTZ, retracted_at TIMESTAMPTZ"
    ),
    "registry_imports": (
        "import_id VARCHAR, registry VARCHAR, checked_on DATE, whole_list BOOLEAN, actor VARCHAR, file VARCHAR, "
        "fingerprint VARCHAR, read_rows BIGINT, imported_at TIMESTAMPTZ, retracted_at TIMESTAMPTZ"
    ),
    "registry_misfits": (
        "import_id VARCHAR, registry VARCHAR, row_id VARCHAR, field VARCHAR, reason VARCHAR, seen_at TIMESTAMPTZ"
    ),
    "reviews": (
        "review_id VARCHAR, reviewed_id VARCHAR, verdict VARCHAR, actor VARCHAR, reason VARCHAR, "
        "recorded_at TIMESTAMPTZ"
    ),
    "links": (
        "link_id VARCHAR, verdict VARCHAR, left_platform VARCHAR, left_account VARCHAR, left_record_id VARCHAR, "
        "right_platform VARCHAR, right_account VARCHAR, right_record_id VARCHAR, actor VARCHAR, reason VARCHAR, "
        "recorded_at TIMESTAMPTZ"
    ),
}


class WarehouseBusyError(AudiencesError):
    """Another process has the warehouse open; the text names it as far as it is known."""


@dataclass(frozen=True, slots=True)
class Build:
    """One build of the warehouse: its number and the time it decides by."""

    build_id: int
    as_of: datetime


@contextmanager
def opened(home: Home, *, read_only: bool = False, wait: float = 60.0) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse alone among processes; WarehouseBusyError after `wait` seconds. Its session speaks UTC."""
    home.data.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait
    lock, holder = FileLock(home.data / "warehouse.lock"), home.data / "warehouse.holder"
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise WarehouseBusyError(_busy(_held_by(holder), wait)) from None
    try:
        holder.write_text(f"process {os.getpid()} ({Path(sys.argv[0]).name})")
        connection = _connect(home.warehouse, read_only=read_only, deadline=deadline, wait=wait)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def published(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published copy, opened for reading beside any build; AudiencesError before the first. It speaks UTC."""
    if not home.published_warehouse.exists():
        raise AudiencesError("No build has been published yet: run `audiences run` first.")
    with duckdb.connect(str(home.published_warehouse), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def ensure_raw(
    connection: duckdb.DuckDBPyConnection, platforms: Sequence[Platform], accounts: Sequence[Account]
) -> None:
    """Create every raw table that is absent, empty, so that dbt builds; rewrite the accounts from the configuration."""
    for platform in platforms:
        tables = {obj.name: _VERSION for obj in platform.objects} | {"webhooks": _WEBHOOK}
        _create(connection, f"raw_{platform.name}", tables)
    _create(connection, "raw_audiences", _OWN_TABLES)
    connection.execute("BEGIN")
    # Made anew, so that a warehouse of an older version gains its columns.
    connection.execute(f"CREATE OR REPLACE TABLE raw_audiences.accounts ({_OWN_TABLES['accounts']})")
    for account in accounts:
        values = [account.platform, account.name, account.brand, account.default_region, list(account.markets)]
        external_ids = orjson.dumps(dict(account.external_ids)).decode()
        connection.execute("INSERT INTO raw_audiences.accounts VALUES (?, ?, ?, ?, ?, ?)", [*values, external_ids])
    connection.execute("COMMIT")


def record_contacts(connection: duckdb.DuckDBPyConnection, pulled: Iterable[Pulled]) -> None:
    """Note when each source last answered; a source that did not answer leaves no row and so grows stale."""
    schedules = {
        (platform.name, obj.name): int(obj.schedule.total_seconds())
        for platform in registry.all_platforms()
        for obj in platform.objects
    }
    for one in pulled:
        if one.contacted_at is not None:
            schedule = schedules[one.platform, one.object]
            connection.execute(
                "INSERT INTO raw_audiences.contacts VALUES (?, ?, ?, ?, ?)",
                [one.platform, one.account, one.object, one.contacted_at, schedule],
            )


def next_build_id(state: State, connection: duckdb.DuckDBPyConnection) -> int:
    """The number that `begin_build` will allot next.

    It exceeds every one that state or warehouse has seen, so that restoring either from a backup never gives a number
    twice.
    """
    _create(connection, "raw_audiences", _OWN_TABLES)
    seen = connection.execute("SELECT max(build_id) FROM raw_audiences.builds").fetchone()
    with state.ledger.connect() as ledger:
        allotted = ledger.execute(select(func.max(builds.c.build_id))).scalar()
    return max(allotted or 0, (seen[0] if seen else 0) or 0) + 1


def begin_build(state: State, connection: duckdb.DuckDBPyConnection, as_of: datetime | None = None) -> Build:
    """Allot the next build number and write the times that this build decides by; `known_at` tells builds apart too."""
    build_id, now = next_build_id(state, connection), datetime.now(UTC)
    newest = connection.execute("SELECT max(known_at) FROM raw_audiences.builds").fetchone()
    if newest and newest[0] is not None:
        now = max(now, newest[0] + timedelta(milliseconds=1))
    build_as_of = as_of or now
    with state.write_ledger() as ledger:
        ledger.execute(insert(builds).values(build_id=build_id, as_of=build_as_of, started_at=now))
    values = [build_id, build_as_of, now, now]
    connection.execute("INSERT INTO raw_audiences.builds VALUES (?, ?, ?, ?)", values)
    return Build(build_id, build_as_of)


def decided_build(connection: duckdb.DuckDBPyConnection) -> Build | None:
    """The build whose decisions the warehouse holds now; None when there are none, or none that a build made.

    Decisions carry the `known_at` of the build that made them, so that a build whose decisions failed is not taken for
    theirs. A shop without a single identifier has none; then the clock's build speaks.
    """
    if not (has_table(connection, "marts", "decisions") and has_table(connection, "marts", "clock")):
        return None
    found = connection.execute(
        "SELECT build_id, as_of FROM raw_audiences.builds WHERE known_at = (SELECT max(known_at) FROM marts.decisions)"
        " UNION ALL SELECT build_id, as_of FROM marts.clock WHERE NOT EXISTS (FROM marts.decisions)"
    ).fetchone()
    return Build(int(found[0]), found[1]) if found else None


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    """True when the warehouse has this table or view."""
    found = connection.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", [schema, name]
    ).fetchone()
    return found is not None


def _create(connection: duckdb.DuckDBPyConnection, schema: str, tables: dict[str, str]) -> None:
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for name, columns in tables.items():
        connection.execute(f'CREATE TABLE IF NOT EXISTS {schema}."{name}" ({columns})')


def _connect(path: Path, *, read_only: bool, deadline: float, wait: float) -> duckdb.DuckDBPyConnection:
    """Connect, waiting for processes that hold the file without our lock (dbt, dlt, a database client)."""
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            if "lock on file" not in str(error):
                raise
            if time.monotonic() >= deadline:
                raise WarehouseBusyError(_busy(_named_by(str(error)), wait)) from None
        time.sleep(0.1)


def _held_by(holder: Path) -> str:
    try:
        return holder.read_text() or "another process"
    except FileNotFoundError:
        return "another process"


def _named_by(message: str) -> str:
    """The process that DuckDB's own message names: `Conflicting lock is held in <program> (PID <n>)`."""
    _, _, tail = message.partition("(PID ")
    number = tail.partition(")")[0]
    return f"process {number}" if number.isdigit() else "another process"


def _busy(holder: str, wait: float) -> str:
    return (
        f"The warehouse is open in {holder} and did not come free within {wait:.0f} s: "
        "wait for that run to end, or close that program; to look at the data, open data/published/warehouse.duckdb."
    )
