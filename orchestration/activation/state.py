"""The state stores: the suppression ledger and the deliveries, in SQLite files or wherever their URLs point.

Two stores, so that a large apply never makes the speed lane wait for a file lock. Transactions are short (50 ms at
most). Identifiers are keyed hashes, except what a call still to be made needs itself (`outbox.identifier`).
Timestamps are UTC; SQLite keeps them as ISO text.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.engine import Dialect

from dlt_sources.errors import ConfigurationError
from orchestration.activation.keys import keyed_hash, load_key
from orchestration.home import Home


class Utc(TypeDecorator[datetime]):
    """A UTC timestamp that comes back with its zone from every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a timestamp without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give UTC back; SQLite drops the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


ledger_metadata = MetaData()

#: One row per reason not to contact. `landing_id` is the webhook it came from; `absorbed_build` the first build whose
#: decisions know that webhook (null = none yet). Scope "*" covers everything; `audience` is set by leave_on alone.
#: `unresolved` rows name only a record id whose e-mail and phone are not known yet.
ledger = Table(
    "ledger",
    ledger_metadata,
    Column("ledger_id", String(64), primary_key=True),
    Column("landing_id", String(64), nullable=False, index=True),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("brand", String(80), nullable=False),
    Column("event_name", String(80), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("topic", String(80), nullable=False, default="*"),
    Column("audience", String(80), nullable=False, default="*"),
    Column("occurred_at", Utc, nullable=False),
    Column("recorded_at", Utc, nullable=False),
    Column("unresolved", Boolean, nullable=False, default=False, index=True),
    Column("absorbed_build", Integer, index=True),
)
ledger_keys = Table(
    "ledger_keys",
    ledger_metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("ledger_id", String(64), ForeignKey("ledger.ledger_id"), primary_key=True),
)
#: Builds of the warehouse; `build_id` grows by one. `decided` is set once decisions of that build are published.
builds = Table(
    "builds",
    ledger_metadata,
    Column("build_id", Integer, primary_key=True, autoincrement=True),
    Column("as_of", Utc, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("decided_at", Utc),
)

#: One row: a hash under the key that this ledger is written with, so that another key is noticed wherever it lies.
installation = Table(
    "installation",
    ledger_metadata,
    Column("key_check", String(64), primary_key=True),
)

deliveries_metadata = MetaData()

#: What each destination has accepted. A membership belongs to a destination record, never to a person alone.
#: status: pending (committed before a call that may have reached the destination; its end is not known) | accepted |
#: removed. Whoever looks for members to remove takes the first two.
memberships = Table(
    "memberships",
    deliveries_metadata,
    Column("membership_id", String(64), primary_key=True),
    Column("audience", String(80), nullable=False),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("target", String(200), nullable=False),
    Column("record_id", String(200), nullable=False),
    Column("person_id", String(80), nullable=False),
    Column("brand", String(80), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("topic", String(80), nullable=False),
    Column("payload_hash", String(64), nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", String(120), nullable=False, default=""),
    Column("build_id", Integer, nullable=False),
    Column("changed_at", Utc, nullable=False),
    sqlite_with_rowid=False,
)
membership_keys = Table(
    "membership_keys",
    deliveries_metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("membership_id", String(64), ForeignKey("memberships.membership_id"), primary_key=True),
    sqlite_with_rowid=False,
)
#: Withdrawals a destination has accepted from us, by keyed hash of `<identifier kind>:<identifier>`.
withdrawals = Table(
    "withdrawals",
    deliveries_metadata,
    Column("platform", String(40), primary_key=True),
    Column("account", String(80), primary_key=True),
    Column("channel", String(20), primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("accepted_at", Utc, nullable=False),
)
#: Plan files. status: ready | held | applied | superseded. `plan_id` is the hash of the file.
plans = Table(
    "plans",
    deliveries_metadata,
    Column("plan_id", String(64), primary_key=True),
    Column("build_id", Integer, nullable=False, index=True),
    Column("path", String(20), nullable=False),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("audience", String(80), nullable=False),
    Column("target", String(200), nullable=False),
    Column("adds", Integer, nullable=False),
    Column("updates", Integer, nullable=False),
    Column("removes", Integer, nullable=False),
    Column("suppressions", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Column("held_because", Text, nullable=False, default=""),
    Column("approved_by", String(120), nullable=False, default=""),
    Column("file", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("finished_at", Utc),
)
#: One row per planned row. state: in_flight (committed before the call) | accepted | failed | dead | dropped
#: (the gate) | compensated. `job_id` follows an asynchronous vendor job over a crash.
outcomes = Table(
    "outcomes",
    deliveries_metadata,
    Column("plan_id", String(64), primary_key=True),
    Column("row_id", String(64), primary_key=True),
    Column("state", String(20), nullable=False, index=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("job_id", String(200), nullable=False, default=""),
    Column("code", String(80), nullable=False, default=""),
    Column("detail", Text, nullable=False, default=""),
    Column("changed_at", Utc, nullable=False),
    sqlite_with_rowid=False,
)
#: Calls the speed lane owes: one row per call target. operation: remove | suppress | identify (look up the e-mail and
#: phone behind a record); reason: the kind of the ledger row; state: due | done | dead.
#: `identifier` is the plain e-mail or phone while the call needs it, emptied when the row is done.
outbox = Table(
    "outbox",
    deliveries_metadata,
    Column("outbox_id", String(64), primary_key=True),
    Column("ledger_id", String(64), nullable=False, index=True),
    Column("operation", String(20), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("target", String(200), nullable=False, default=""),
    Column("record_id", String(200), nullable=False, default=""),
    Column("identifier_kind", String(20), nullable=False, default=""),
    Column("identifier", Text, nullable=False, default=""),
    Column("membership_id", String(64), nullable=False, default=""),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", Utc, nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Column("created_at", Utc, nullable=False),
    Column("done_at", Utc),
    Index("outbox_due", "state", "next_attempt_at"),
)
#: Access tokens that expire, by account key.
tokens = Table(
    "tokens",
    deliveries_metadata,
    Column("account", String(120), primary_key=True),
    Column("access", Text, nullable=False),
    Column("refresh", Text, nullable=False, default=""),
    Column("expires_at", Utc),
)
#: Tokens in webhook URLs, by SHA-256 (the token itself is nowhere): the account they speak for and the tags they set.
webhook_tokens = Table(
    "webhook_tokens",
    deliveries_metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("platform", String(40), nullable=False),
    Column("account", String(80), nullable=False),
    Column("tags", JSON, nullable=False),
    Column("suppress_only", Boolean, nullable=False, default=True),
    Column("label", String(120), nullable=False, default=""),
    Column("created_at", Utc, nullable=False),
    Column("disabled_at", Utc),
)
#: Pace per account and bucket, shared by all processes: calls left and when the count was true.
pace = Table(
    "pace",
    deliveries_metadata,
    Column("account", String(120), primary_key=True),
    Column("bucket", String(80), primary_key=True),
    Column("available", Float, nullable=False),
    Column("as_of", Utc, nullable=False),
)


class State:
    """Both stores and the key, opened for one process; brings old schemas up to date first."""

    def __init__(self, folder: Path, *, ledger_url: str = "", deliveries_url: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ledger_url = ledger_url or f"sqlite:///{folder / 'ledger.db'}"
        self.deliveries_url = deliveries_url or f"sqlite:///{folder / 'deliveries.db'}"
        self.key = load_key(folder)
        self._migrate()
        self._check_key()

    @classmethod
    def of(cls, home: Home) -> State:
        """The state of a home; AUDIENCES_LEDGER_URL and AUDIENCES_DELIVERIES_URL point elsewhere."""
        return cls(
            home.state,
            ledger_url=os.environ.get("AUDIENCES_LEDGER_URL", ""),
            deliveries_url=os.environ.get("AUDIENCES_DELIVERIES_URL", ""),
        )

    @cached_property
    def ledger(self) -> Engine:
        """The engine of the ledger."""
        return _engine(self.ledger_url)

    @cached_property
    def deliveries(self) -> Engine:
        """The engine of the deliveries."""
        return _engine(self.deliveries_url)

    @contextmanager
    def write_ledger(self) -> Iterator[Connection]:
        """One short write transaction on the ledger; durable when the block ends."""
        with self.ledger.begin() as connection:
            yield connection

    @contextmanager
    def write_deliveries(self) -> Iterator[Connection]:
        """One short write transaction on the deliveries; durable when the block ends."""
        with self.deliveries.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of both databases."""
        self.ledger.dispose()
        self.deliveries.dispose()

    def _check_key(self) -> None:
        """Refuse a key other than the one that the ledger is written with: no suppression would be found by it."""
        mine = keyed_hash(self.key, "key check")
        with self.ledger.connect().execution_options(readonly=True) as connection:
            kept: set[str] = set(connection.execute(select(installation.c.key_check)).scalars())
        if not kept:
            with self.write_ledger() as connection:
                kept = set(connection.execute(select(installation.c.key_check)).scalars())
                if not kept:
                    connection.execute(insert(installation).values(key_check=mine))
        if kept and mine not in kept:
            raise ConfigurationError(
                "state/key is not the key that this ledger is written with: restore it from your backup."
            )

    def _migrate(self) -> None:
        # Alembic costs 0.2 s of import, so a store that is up to date is recognised without it.
        from orchestration.activation.migrations import upgrade

        upgrade("ledger", self.ledger, self.folder)
        upgrade("deliveries", self.deliveries, self.folder)


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    """WAL for readers beside a writer, FULL because an acknowledged opt-out must survive a power cut.

    Keys are hashes, so that a large apply touches pages all over the file: a larger cache (64 MB, used as needed) and
    checkpoints that come less often (every 64 MB) let it write each page once instead of many times.
    """
    connection.isolation_level = None
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON")
    for pragma in (*pragmas, "cache_size=-65536", "wal_autocheckpoint=16384"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at the start, so that a transaction waits instead of failing half-way."""
    readonly = connection.get_execution_options().get("readonly", False)
    connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")
