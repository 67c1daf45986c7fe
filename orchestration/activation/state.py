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
from uuid import uuid4

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, update

from dlt_sources.errors import ConfigurationError
from orchestration.activation.keys import keyed_hash, load_key
from orchestration.activation.tables import Utc as Utc
from orchestration.activation.tables import approvals as approvals
from orchestration.activation.tables import baselines as baselines
from orchestration.activation.tables import builds as builds
from orchestration.activation.tables import deliveries_metadata as deliveries_metadata
from orchestration.activation.tables import exports as exports
from orchestration.activation.tables import installation as installation
from orchestration.activation.tables import ledger as ledger
from orchestration.activation.tables import ledger_keys as ledger_keys
from orchestration.activation.tables import ledger_metadata as ledger_metadata
from orchestration.activation.tables import lifts as lifts
from orchestration.activation.tables import links as links
from orchestration.activation.tables import membership_keys as membership_keys
from orchestration.activation.tables import memberships as memberships
from orchestration.activation.tables import origin as origin
from orchestration.activation.tables import outbox as outbox
from orchestration.activation.tables import outcomes as outcomes
from orchestration.activation.tables import pace as pace
from orchestration.activation.tables import plans as plans
from orchestration.activation.tables import reviews as reviews
from orchestration.activation.tables import tokens as tokens
from orchestration.activation.tables import webhook_tokens as webhook_tokens
from orchestration.activation.tables import withdrawals as withdrawals
from orchestration.activation.tables import writes as writes
from orchestration.home import Home


class State:
    """Both stores and the key, opened for one process; brings old schemas up to date first."""

    def __init__(
        self, folder: Path, *, ledger_url: str = "", deliveries_url: str = "", established: bool = False
    ) -> None:
        """Open, or make, the stores; `established` says that builds were published, so that new stores are a loss."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ledger_url = ledger_url or f"sqlite:///{folder / 'ledger.db'}"
        self.deliveries_url = deliveries_url or f"sqlite:///{folder / 'deliveries.db'}"
        #: Touched by the speed lane's worker while it works.
        self.beat = folder / "speed_lane.alive"
        self.key = load_key(folder)
        self._migrate()
        self._check_key(established=established)
        self._check_origin(established=established)

    @classmethod
    def of(cls, home: Home) -> State:
        """The state of a home; AUDIENCES_LEDGER_URL and AUDIENCES_DELIVERIES_URL point elsewhere.

        Where a store was lost, what can be recovered is recovered first.
        """
        state = cls(
            home.state,
            ledger_url=os.environ.get("AUDIENCES_LEDGER_URL", ""),
            deliveries_url=os.environ.get("AUDIENCES_DELIVERIES_URL", ""),
            established=(home.published / "catalogue.json").exists(),
        )
        if state.lost:
            from orchestration.activation.recovery import recover

            recover(home, state)
        return state

    @property
    def lost(self) -> tuple[str, ...]:
        """The stores that were made in place of lost ones, as long as nobody has recovered what can be."""
        found = []
        for name, engine, column in (
            ("ledger", self.ledger, installation.c.lost_at),
            ("deliveries", self.deliveries, origin.c.lost_at),
        ):
            with engine.connect().execution_options(readonly=True) as connection:
                if connection.execute(select(column).where(column.is_not(None))).first():
                    found.append(name)
        return tuple(found)

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

    def _check_key(self, *, established: bool) -> None:
        """Refuse a key other than the one that the ledger is written with: no suppression would be found by it.

        A ledger that has no key yet is new; beside deliveries that have been used, or after a build, it was lost.
        """
        mine = keyed_hash(self.key, "key check")
        with self.ledger.connect().execution_options(readonly=True) as connection:
            kept: set[str] = set(connection.execute(select(installation.c.key_check)).scalars())
        if not kept:
            lost = established or self._origin() is not None
            with self.write_ledger() as connection:
                kept = set(connection.execute(select(installation.c.key_check)).scalars())
                if not kept:
                    values = {"key_check": mine, "lost_at": datetime.now(UTC) if lost else None}
                    connection.execute(insert(installation).values(values))
        if kept and mine not in kept:
            raise ConfigurationError(
                "state/key is not the key that this ledger is written with: restore it from your backup."
            )

    def _check_origin(self, *, established: bool) -> None:
        """Notice deliveries that are new although the ledger, or a published build, is not: they were lost."""
        with self.ledger.connect().execution_options(readonly=True) as connection:
            expected = connection.execute(select(installation.c.deliveries_id)).scalar() or ""
        found = self._origin()
        if found is not None and found == expected:
            return
        now = datetime.now(UTC)
        with self.write_deliveries() as connection:
            found = connection.execute(select(origin.c.deliveries_id)).scalar()
            if found is None:
                found, lost = uuid4().hex, bool(expected) or established
                values = {"deliveries_id": found, "created_at": now, "lost_at": now if lost else None}
                connection.execute(insert(origin).values(values))
            elif expected and found != expected:
                connection.execute(update(origin).values(lost_at=now))
        with self.write_ledger() as connection:
            connection.execute(update(installation).values(deliveries_id=found))

    def _origin(self) -> str | None:
        """The id of the deliveries store; None when it is new."""
        with self.deliveries.connect().execution_options(readonly=True) as connection:
            found: str | None = connection.execute(select(origin.c.deliveries_id)).scalar()
            return found

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
