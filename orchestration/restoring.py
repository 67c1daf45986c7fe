"""Restoring a backup into an empty home, made safe: what happened since it was taken is not known.

Ledger rows that the restored decisions do not know block again; no source counts as having answered, so that nobody is
added before each has been pulled; every place owes a baseline; no plan made before may be applied.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import orjson
from sqlalchemy import select, update

from dlt_sources.errors import AudiencesError, ConfigurationError
from dlt_sources.platform import LANES
from orchestration.activation import baseline, catalogue, plan_records
from orchestration.activation.migrations import head
from orchestration.activation.state import State, builds, ledger
from orchestration.backups import FORMAT, MANIFEST, WAREHOUSE
from orchestration.home import Home
from orchestration.landing.files import STAGES, Landing, written_at
from orchestration.landing.requeue import absorbed_landings, requeue
from orchestration.warehouse import has_table

#: Files begun so long before the ledger was copied are settled again: some rows of theirs may not be in it.
_SETTLE_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore brought back: when it was taken, requests that go through the chain again, places to read back."""

    taken_at: str
    files: int
    requeued: int
    baselines: int
    with_warehouse: bool


def restore(home: Home, file: Path) -> Restored:
    """Put a backup into an empty home, and bring its state up to date.

    Raises ConfigurationError when the home is not empty or the file is none of ours, AudiencesError when it is damaged.
    """
    if kept := _in_the_way(home):
        raise ConfigurationError(f"The home is not empty ({kept}): restore into an empty one, or move its data/ away.")
    home.data.mkdir(parents=True, exist_ok=True)
    with _unpacked(home, file) as (folder, manifest):
        for name in ("published", "receipts", "landing", "state"):  # the state last: it makes the restored home one
            if (folder / name).exists():
                shutil.rmtree(home.data / name, ignore_errors=True)
                (folder / name).rename(home.data / name)
        if manifest["with_warehouse"]:
            shutil.copyfile(home.data / WAREHOUSE, home.warehouse)
            _forget_contacts(home)
    landing = Landing(home.landing)
    landing.create()
    taken_at = datetime.fromisoformat(manifest["taken_at"])
    _back_to_ready(landing, taken_at - _SETTLE_AGAIN)
    state = State.of(home)
    try:
        known = absorbed_landings(home)
        _absorbed_no_more(state, known)
        requeued = requeue(landing, "settled", _loaded(home))
        plan_records.let_go(state)
        because = f"restored from a backup of {manifest['taken_at'][:16]} UTC"
        owed = baseline.mark(state, catalogue.read(home), because)
    finally:
        state.close()
    return Restored(
        taken_at=manifest["taken_at"],
        files=len(manifest["files"]),
        requeued=requeued,
        baselines=len(owed),
        with_warehouse=manifest["with_warehouse"],
    )


def _in_the_way(home: Home) -> str:
    """What makes a home not empty; empty folders and locks do not."""
    for name in ("state", "landing", "receipts", "published", "warehouse.duckdb"):
        path = home.data / name
        if path.is_file() or any(one.is_file() and one.suffix != ".lock" for one in path.rglob("*")):
            return f"data/{name}"
    return ""


@contextmanager
def _unpacked(home: Home, file: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files of a backup in a folder beside their places, every one checked against the manifest."""
    with TemporaryDirectory(dir=home.data, prefix=".restoring-") as name:
        folder = Path(name)
        try:
            with tarfile.open(file) as tar:
                tar.extractall(folder, filter="data")
        except FileNotFoundError:
            raise ConfigurationError(f"There is no file {file.name}.") from None
        except (OSError, tarfile.TarError) as error:
            name = type(error).__name__
            raise AudiencesError(f"{file.name} cannot be read as a backup ({name}): use another one.") from None
        yield folder, _manifest(folder / MANIFEST, file.name)


def _manifest(path: Path, name: str) -> dict[str, Any]:
    if not path.exists():
        raise ConfigurationError(f"{name} holds no {MANIFEST}: it is no backup of ours, or it was cut off.")
    manifest: dict[str, Any] = orjson.loads(path.read_bytes())
    path.unlink()
    if manifest.get("format") != FORMAT:
        raise ConfigurationError(f"{name} has a format that this version does not know: install the newer one.")
    files = manifest["files"]
    revisions = manifest["revisions"]
    for store, revision in revisions.items():
        if revision > head(store):
            raise ConfigurationError(f"{name} holds a {store} of revision {revision}: install the newer version.")
    there = {str(one.relative_to(path.parent)) for one in path.parent.rglob("*") if one.is_file()}
    wrong = sorted(there ^ set(files)) + [
        one for one in sorted(there & set(files)) if _hash(path.parent / one) != files[one]
    ]
    if wrong:
        raise AudiencesError(f"{name} is damaged: {wrong[0]} is not what was backed up. Use another backup.")
    return manifest


def _hash(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _back_to_ready(landing: Landing, since: datetime) -> None:
    """What was not settled yet, or so lately that the ledger's copy may not know it, is settled again."""
    for lane in LANES:
        for stage in STAGES[1:]:
            for path in landing.waiting(lane, stage):
                if stage == "claimed" or written_at(path) >= since.timestamp():
                    landing.move(path, lane, "ready")


def _forget_contacts(home: Home) -> None:
    """No source counts as having answered: nobody is added before each has been pulled again."""
    with duckdb.connect(str(home.warehouse)) as connection:
        if has_table(connection, "raw_audiences", "contacts"):
            connection.execute("DELETE FROM raw_audiences.contacts")


def _absorbed_no_more(state: State, known: frozenset[str]) -> None:
    """Ledger rows that the restored decisions do not know block again, and plans of no former build may add anybody."""
    with state.ledger.connect() as connection:
        query = select(ledger.c.landing_id).where(ledger.c.absorbed_build.is_not(None)).distinct()
        absorbed: list[str] = list(connection.execute(query).scalars())
    forgotten = [landing_id for landing_id in absorbed if landing_id not in known]
    for start in range(0, len(forgotten), 500):
        part = forgotten[start : start + 500]
        with state.write_ledger() as connection:
            connection.execute(update(ledger).where(ledger.c.landing_id.in_(part)).values(absorbed_build=None))
    if not known:
        with state.write_ledger() as connection:
            connection.execute(update(builds).values(decided_at=None))


def _loaded(home: Home) -> frozenset[str]:
    """The landing ids that the restored warehouse has loaded."""
    if not home.warehouse.exists():
        return frozenset()
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        schemas = connection.execute(
            "SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_schema LIKE 'raw\\_%' ESCAPE '\\'"
        ).fetchall()
        found: set[str] = set()
        for (schema,) in schemas:
            if has_table(connection, schema, "webhooks"):
                found |= {
                    one for (one,) in connection.execute(f'SELECT landing_id FROM "{schema}".webhooks').fetchall()
                }
    return frozenset(found)
