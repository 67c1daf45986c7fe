"""Tables in memory with a journal on disk: what the platforms hold survives a restart with the same home.

The population is made again from its seed; the journal replays every change since. A line is handed to the operating
system before the call that caused it is answered, so a killed process loses nothing; a torn last line is ignored.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import orjson

Row: TypeAlias = dict[str, Any]


class Index:
    """Rows of a table in the order of a key, with logarithmic search; equal keys are ordered by id."""

    def __init__(self, key: Callable[[Row], str]) -> None:
        self._key = key
        self._keys: dict[str, str] = {}
        self._sorted: list[tuple[str, str]] = []
        self._dirty = False

    def put(self, row_id: str, row: Row) -> None:
        """Place or move one row."""
        key, old = self._key(row), self._keys.get(row_id)
        if old == key:
            return
        if not self._dirty:
            if old is not None:
                self._sorted.pop(bisect_left(self._sorted, (old, row_id)))
            insort(self._sorted, (key, row_id))
        self._keys[row_id] = key

    def drop(self, row_id: str) -> None:
        """Forget one row."""
        old = self._keys.pop(row_id, None)
        if old is not None and not self._dirty:
            self._sorted.pop(bisect_left(self._sorted, (old, row_id)))

    def defer(self) -> None:
        """Sort at the next reading instead of at every change: for loading many rows."""
        self._dirty = True

    def scan(self, after: tuple[str, str] | None = None, descending: bool = False) -> Iterator[str]:
        """Ids in order, starting behind `after` = (key, id) in the direction asked for."""
        if self._dirty:
            self._sorted = sorted((key, row_id) for row_id, key in self._keys.items())
            self._dirty = False
        entries = self._sorted
        if descending:
            at = len(entries) if after is None else bisect_left(entries, after)
            return (entries[i][1] for i in range(at - 1, -1, -1))
        at = 0 if after is None else bisect_right(entries, after)
        return (entries[i][1] for i in range(at, len(entries)))

    def position(self, row_id: str) -> tuple[str, str]:
        """The place of a row, as `scan` takes it."""
        return self._keys[row_id], row_id


class Table:
    """Rows by id; every change goes to the journal and to the indexes."""

    def __init__(self, name: str, journal: Journal) -> None:
        self.name = name
        self.rows: dict[str, Row] = {}
        self.indexes: dict[str, Index] = {}
        self._lookups: dict[str, tuple[Callable[[Row], str | None], dict[str, str]]] = {}
        self._journal = journal

    def sort_by(self, name: str, key: Callable[[Row], str]) -> None:
        """Keep the rows ordered by `key` under this name."""
        self.indexes[name] = Index(key)

    def look_up_by(self, name: str, key: Callable[[Row], str | None]) -> None:
        """Keep a unique key (None: no key) to find a row by."""
        self._lookups[name] = (key, {})

    def find(self, name: str, key: str | None) -> str | None:
        """The id of the row with this unique key."""
        return self._lookups[name][1].get(key) if key else None

    def load(self, rows: dict[str, Row]) -> None:
        """Take the rows of the generated population, without journalling them."""
        for index in self.indexes.values():
            index.defer()
        for row_id, row in rows.items():
            self._place(row_id, row)

    def put(self, row_id: str, row: Row) -> None:
        """Insert or replace one row."""
        self._place(row_id, row)
        self._journal.add(self.name, row_id, row)

    def drop(self, row_id: str) -> None:
        """Remove one row, if it is there."""
        if row_id in self.rows:
            self._displace(row_id)
            self._journal.add(self.name, row_id, None)

    def replay(self, row_id: str, row: Row | None) -> None:
        """Apply one line of the journal."""
        if row is not None:
            self._place(row_id, row)
        elif row_id in self.rows:
            self._displace(row_id)

    def _place(self, row_id: str, row: Row) -> None:
        self._unlink(row_id)
        self.rows[row_id] = row
        for index in self.indexes.values():
            index.put(row_id, row)
        for key_of, found in self._lookups.values():
            key = key_of(row)
            if key:
                found[key] = row_id

    def _displace(self, row_id: str) -> None:
        self._unlink(row_id)
        del self.rows[row_id]
        for index in self.indexes.values():
            index.drop(row_id)

    def _unlink(self, row_id: str) -> None:
        old = self.rows.get(row_id)
        for key_of, found in self._lookups.values() if old is not None else ():
            key = key_of(old) if old is not None else None
            if key and found.get(key) == row_id:
                del found[key]


class Journal:
    """The file of changes: one JSON array [table, id, row or null] a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[bytes] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def add(self, table: str, row_id: str, row: Row | None) -> None:
        """Remember one change until the next `flush`."""
        self._pending.append(orjson.dumps([table, row_id, row]) + b"\n")

    def flush(self) -> None:
        """Hand everything remembered to the operating system."""
        if self._pending:
            self._file.write(b"".join(self._pending))
            self._pending.clear()

    def read(self) -> Iterator[tuple[str, str, Row | None]]:
        """The changes so far; a torn last line is cut off, so that later lines start cleanly."""
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        for line in content[:whole].splitlines():
            table, row_id, row = orjson.loads(line)
            yield table, row_id, row

    def close(self) -> None:
        """Flush and close the file."""
        self.flush()
        self._file.close()
