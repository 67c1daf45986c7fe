"""Backing up an installation: state with its key, landing zone, receipts, catalogue and, if asked for, the warehouse.

A backup is a tar file with a manifest of hashes and versions. It is taken while everything runs: the stores by SQLite's
own online backup, then the landing files in the order in which they move, then the published copy of the warehouse; so
whatever is not in an earlier part is in a later one, and every step of the landing chain may happen twice. Files that
are loaded already come along, and are loaded again where the restored warehouse does not know them.
"""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from sqlalchemy import make_url

from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import LANES
from orchestration.activation import kept
from orchestration.activation.migrations import head
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.landing.files import STAGES, Landing, sync_folder

FORMAT, MANIFEST = 1, "manifest.json"
WAREHOUSE = "published/warehouse.duckdb"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What a backup holds."""

    file: str
    files: int
    bytes: int
    landing_files: int
    with_warehouse: bool


def backup(home: Home, file: Path, *, with_warehouse: bool = False) -> BackedUp:
    """Write a backup (mode 0600: it holds the key). Raises ConfigurationError where there is nothing, or no SQLite."""
    if not (home.state / "key").exists():
        raise ConfigurationError("There is no state to back up here yet.")
    began, state = datetime.now(UTC), State.of(home)
    try:
        stores = {
            name: _store(url) for name, url in (("ledger", state.ledger_url), ("deliveries", state.deliveries_url))
        }
    finally:
        state.close()
    if with_warehouse and not (home.data / WAREHOUSE).exists():
        raise ConfigurationError("There is no published warehouse to back up yet: run `audiences run` first.")
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.writing")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w") as tar:
            packed = _Packed(tar, {})
            with TemporaryDirectory(dir=file.parent, prefix=".backup-") as folder:
                for name, path in stores.items():
                    packed.add(_copy_store(path, Path(folder) / f"{name}.db"), f"state/{name}.db")
            packed.add(home.state / "key", "state/key")
            packed.add(home.state / "persons.parquet", "state/persons.parquet")
            for path in kept.all_files(home):
                packed.add(path, f"state/{path.relative_to(home.state)}")
            landing_files = _pack_landing(packed, Landing(home.landing))
            for path in sorted(home.receipts.glob("[!.]*")):
                packed.add(path, f"receipts/{path.name}")
            packed.add(home.published / "catalogue.json", "published/catalogue.json")
            if with_warehouse:
                packed.add(home.data / WAREHOUSE, WAREHOUSE)
            packed.finish(began, with_warehouse=with_warehouse)
            raw.flush()
            os.fsync(raw.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(file.parent)
    return BackedUp(
        file=str(file),
        files=len(packed.hashes),
        bytes=file.stat().st_size,
        landing_files=landing_files,
        with_warehouse=with_warehouse,
    )


@dataclass(slots=True)
class _Packed:
    """A tar being written, with the hash of every file in it."""

    tar: tarfile.TarFile
    hashes: dict[str, str]

    def add(self, path: Path, name: str) -> bool:
        """Add a file if it is still there; one that has been replaced meanwhile is added as it was when opened."""
        try:
            content = path.open("rb")
        except FileNotFoundError:
            return False
        with content:
            size = os.fstat(content.fileno()).st_size
            reading = _Hashing(content, size)
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = size, 0o600, int(os.fstat(content.fileno()).st_mtime)
            self.tar.addfile(member, reading)
            self.hashes[name] = reading.digest.hexdigest()
        return True

    def finish(self, began: datetime, *, with_warehouse: bool) -> None:
        """Add the manifest."""
        manifest = {
            "format": FORMAT,
            "taken_at": began.isoformat(),
            "version": version("audiences"),
            "revisions": {name: head(name) for name in ("ledger", "deliveries")},
            "with_warehouse": with_warehouse,
            "files": self.hashes,
        }
        content = orjson.dumps(manifest, option=orjson.OPT_INDENT_2)
        member = tarfile.TarInfo(MANIFEST)
        member.size, member.mode = len(content), 0o600
        self.tar.addfile(member, io.BytesIO(content))


class _Hashing(io.RawIOBase):
    """Reads a file while hashing it; a file that grows is read up to the size it had."""

    def __init__(self, content: io.BufferedReader, size: int) -> None:
        super().__init__()
        self.content, self.left, self.digest = content, size, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        wanted = self.left if size < 0 else min(size, self.left)
        found = self.content.read(wanted)
        self.left -= len(found)
        self.digest.update(found)
        return found


def _store(url: str) -> Path:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ConfigurationError(
            f"State lies in {parsed.get_backend_name()}: back it up with that database's own tools (docs/operating.md)."
        )
    return Path(parsed.database)


def _copy_store(path: Path, copy: Path) -> Path:
    """A consistent copy of a SQLite store, taken beside whoever writes it."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target, pages=4096)
    copy.chmod(0o600)
    return copy


def _pack_landing(packed: _Packed, landing: Landing) -> int:
    """Every landing file in the order in which files move, then the archive: one that moves meanwhile is met later."""
    count = 0
    for lane in LANES:
        seen: set[str] = set()
        for stage in STAGES if landing.path(lane, "ready").exists() else ():
            for path in landing.waiting(lane, stage):
                if path.name not in seen and packed.add(path, f"landing/{lane}/{stage}/{path.name}"):
                    seen.add(path.name)
        count += len(seen)
        for path in sorted((landing.folder / "archive" / lane).glob("*.jsonl.gz")):
            count += packed.add(path, f"landing/archive/{lane}/{path.name}")
    return count
