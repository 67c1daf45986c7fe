"""Dagster's event log in SQLite, by connections that stay open: a build tells of two thousand events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dagster import StringSource
from dagster._core.storage.event_log.polling_event_watcher import SqlPollingEventWatcher
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

#: Every run has a file of its own. The oldest connections beyond these are closed.
_KEPT = 8


class EventLog(SqliteEventLogStorage):
    """Dagster's own storage in its own files; only how they are opened differs.

    Dagster opens and closes a file for each event, and whoever closes last makes SQLite write its log back and wait for
    the disk. Here a commit is in SQLite's log when it returns. That outlives the process; after a loss of power the
    newest events may be missing, and nothing that decides or pushes reads them.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._poller: SqlPollingEventWatcher | None = None
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> Any:
        """Its only setting: the folder of the instance (DAGSTER_HOME)."""
        return {"home": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storage of an instance, where Dagster keeps it by default."""
        return cls(str(Path(config_value["home"]) / "history" / "runs"), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard in self._engines:
            self._engines.move_to_end(shard)
            return self._engines[shard]
        engine = create_engine(
            self.conn_string_for_shard(shard), pool_size=1, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
        )
        event.listen(engine, "connect", lambda opened, _: opened.execute("PRAGMA synchronous = NORMAL"))
        self._initdb(engine)
        self._engines[shard] = engine
        if len(self._engines) > _KEPT:
            self._engines.popitem(last=False)[1].dispose()
        return engine

    def wipe(self) -> None:
        """Delete all runs' files."""
        self._close()
        super().wipe()

    def watch(self, run_id: str, cursor: str | None, callback: Any) -> None:
        """Tell a run's events as they come; by asking, since an open file does not change with each of them."""
        self._poller = self._poller or SqlPollingEventWatcher(self)
        self._poller.watch_run(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: Any) -> None:
        """Tell them no more."""
        if self._poller:
            self._poller.unwatch_run(run_id, handler)

    def dispose(self) -> None:
        """Close the files."""
        if self._poller:
            self._poller.close()
            self._poller = None
        self._close()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
