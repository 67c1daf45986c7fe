"""Receipts of registries, kept in the data folder until builds have them.

    receipts/<id>.parquet          the rows as they were read
    receipts/<id>.json             what it is and who brought it; written last, so that a receipt is whole or not there
    receipts/<id>.retracted.json   who took it back, and why

The id is a hash of content and terms, so that the same file brought twice is one receipt. All files have mode 0600.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import orjson
from pydantic import TypeAdapter, ValidationError

from dlt_sources.errors import ConfigurationError
from orchestration.home import Home
from orchestration.inputs import reading, rules
from orchestration.inputs.reading import Layout
from orchestration.landing.files import sync_folder

_log = logging.getLogger(__name__)
_RETRACTED = ".retracted.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraction:
    """Who took a receipt back, and why."""

    at: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was compared with a registry on a day, and who says so.

    `whole_list` says that whoever is not in it was compared too and not found; it needs every row to be readable.
    """

    import_id: str
    registry: str
    checked_on: date
    whole_list: bool
    actor: str
    file: str
    fingerprint: str
    rows: int
    imported_at: datetime
    results: Mapping[str, int] = field(default_factory=dict)
    misfits: Mapping[str, int] = field(default_factory=dict)
    retracted: Retraction | None = None

    @property
    def compared_at(self) -> datetime:
        """The beginning of its day, which it counts from."""
        return datetime.combine(self.checked_on, time.min, UTC)

    @property
    def set_aside(self) -> int:
        """Values that did not fit."""
        return sum(self.misfits.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A receipt that was brought, or was there already (`is_repeat`)."""

    receipt: Receipt
    is_repeat: bool


_receipt, _retraction = TypeAdapter(Receipt), TypeAdapter(Retraction)


def keep(
    home: Home, file: Path | None, layout: Layout, *, registry: str, checked_on: date, whole_list: bool, actor: str
) -> Kept:
    """Read a file and keep what it says; without a file, keep that the whole list was compared and nothing found.

    Raises ConfigurationError for whatever cannot be meant, and keeps nothing then.
    """
    known, now = rules.registry(registry), datetime.now(UTC)
    if not actor.strip():
        raise ConfigurationError("--actor must say who brings the receipt: it is kept.")
    if checked_on > now.date():
        raise ConfigurationError(
            f"{file.name if file else registry}: {checked_on} lies in the future (today is {now.date()}, UTC). "
            "--checked-on is the day on which the registry was compared."
        )
    if file is None and not whole_list:
        raise ConfigurationError(
            "Nothing says what was compared: give a file, or --whole-list if all of your list was and none was found."
        )
    home.receipts.mkdir(parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(dir=home.receipts, prefix=".reading-") as folder:
        draft = Path(folder) / "rows.parquet"
        found = reading.read(file, layout, known, checked_on, draft) if file else None
        fingerprint = found.fingerprint if found else "nothing found"
        former = {one.import_id: one for one in kept(home)}
        import_id = _free_id([registry, checked_on.isoformat(), whole_list, fingerprint], former)
        if import_id in former:
            return Kept(receipt=former[import_id], is_repeat=True)
        receipt = Receipt(
            import_id=import_id,
            registry=registry,
            checked_on=checked_on,
            whole_list=whole_list and (found is None or found.is_whole),
            actor=actor.strip(),
            file=file.name if file else "",
            fingerprint=fingerprint,
            rows=found.rows if found else 0,
            imported_at=now,
            results=found.results if found else {},
            misfits=found.misfits if found else {},
        )
        if found:
            _put(draft, home.receipts / f"{import_id}.parquet")
        _write(home.receipts / f"{import_id}.json", asdict(receipt))
    return Kept(receipt=receipt, is_repeat=False)


def kept(home: Home) -> list[Receipt]:
    """Every receipt, oldest first, those that were taken back included; a damaged one is logged and does not count."""
    found = []
    for path in home.receipts.glob("*.json") if home.receipts.exists() else ():
        if path.name.endswith(_RETRACTED) or path.name.startswith("."):
            continue
        try:
            receipt = _receipt.validate_json(path.read_bytes())
            back = path.with_name(f"{path.stem}{_RETRACTED}")
            taken = _retraction.validate_json(back.read_bytes()) if back.exists() else None
        except ValidationError:
            _log.error("data/receipts/%s is damaged, so that it does not count: put it back from a backup.", path.name)
            continue
        found.append(replace(receipt, retracted=taken))
    return sorted(found, key=lambda one: (one.imported_at, one.import_id))


def retract(home: Home, beginning: str, *, actor: str, reason: str) -> Receipt:
    """Take a receipt back: from the next build on it counts no more; what was decided by it stays on record."""
    if not actor.strip() or not reason.strip():
        raise ConfigurationError("--actor and --reason must say who takes it back and why: both are kept.")
    matching = [one for one in kept(home) if beginning and one.import_id.startswith(beginning)]
    if len(matching) != 1:
        what = "names several receipts" if matching else "names no receipt"
        raise ConfigurationError(f"{beginning!r} {what}: `audiences registry list` shows each with its id.")
    [receipt] = matching
    if receipt.retracted:
        return receipt
    taken = Retraction(at=datetime.now(UTC), actor=actor.strip(), reason=reason.strip())
    _write(home.receipts / f"{receipt.import_id}{_RETRACTED}", asdict(taken))
    return replace(receipt, retracted=taken)


def load(home: Home, connection: duckdb.DuckDBPyConnection) -> int:
    """Load what is kept into the raw tables, each receipt once and whole; returns the rows that came in.

    A receipt that cannot be read does not count, and stops nothing else.
    """
    known = dict(connection.execute("SELECT import_id, retracted_at FROM raw_audiences.registry_imports").fetchall())
    rows = 0
    for receipt in kept(home):
        path = home.receipts / f"{receipt.import_id}.parquet"
        if receipt.import_id in known:
            if receipt.retracted and known[receipt.import_id] is None:
                _take_back(connection, receipt.import_id, receipt.retracted.at)
        elif receipt.file and not path.exists():
            _log.error("data/receipts/%s is gone, so that its receipt does not count: put it back.", path.name)
        elif not receipt.file or _readable(connection, path):
            rows += _load_one(connection, receipt)
    return rows


def _readable(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Read a receipt's rows into the session, before anything is written: a damaged one is logged, and not loaded."""
    try:
        connection.execute("CREATE OR REPLACE TEMP TABLE receipt_rows AS FROM read_parquet($path)", {"path": str(path)})
    except duckdb.Error as error:
        kind = type(error).__name__
        _log.error(
            "data/receipts/%s cannot be read (%s), so that its receipt does not count: put it back from a backup.",
            path.name, kind,
        )  # fmt: skip
        return False
    return True


def _load_one(connection: duckdb.DuckDBPyConnection, receipt: Receipt) -> int:
    back = receipt.retracted.at if receipt.retracted else None
    about = {"id": receipt.import_id, "registry": receipt.registry, "at": receipt.imported_at}
    times = {"compared": receipt.compared_at, "back": back}
    connection.execute("BEGIN")
    try:
        if receipt.file:
            connection.execute(
                "INSERT INTO raw_audiences.registry_receipts "
                "SELECT $id || ':' || row, $registry, identifier, result, since, $compared, $at, $back "
                "FROM receipt_rows WHERE result IS NOT NULL",
                about | times,
            )
            connection.execute(
                "INSERT INTO raw_audiences.registry_misfits "
                "SELECT $id, $registry, row::VARCHAR, field, reason, $at "
                "FROM receipt_rows WHERE field IS NOT NULL",
                about,
            )
        if receipt.whole_list:
            connection.execute(
                "INSERT INTO raw_audiences.registry_receipts "
                "VALUES ($id || ':list', $registry, NULL, 'clear', NULL, $compared, $at, $back)",
                about | times,
            )
        connection.execute(
            "INSERT INTO raw_audiences.registry_imports "
            "VALUES ($id, $registry, $day, $whole, $actor, $file, $mark, $rows, $at, $back)",
            about
            | {"day": receipt.checked_on, "whole": receipt.whole_list, "actor": receipt.actor, "file": receipt.file}
            | {"mark": receipt.fingerprint, "rows": receipt.rows, "back": back},
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return sum(receipt.results.values()) + receipt.whole_list


def _take_back(connection: duckdb.DuckDBPyConnection, import_id: str, at: datetime) -> None:
    values = {"at": at, "id": import_id}
    connection.execute("BEGIN")
    connection.execute(
        "UPDATE raw_audiences.registry_receipts SET retracted_at = $at WHERE starts_with(receipt_id, $id || ':')",
        values,
    )
    connection.execute("UPDATE raw_audiences.registry_imports SET retracted_at = $at WHERE import_id = $id", values)
    connection.execute("COMMIT")


def _free_id(terms: Sequence[object], former: Mapping[str, Receipt]) -> str:
    """The id of these terms; one that was taken back is not used again, so that it may be brought once more."""
    number = 0
    while True:
        found = hashlib.sha256(orjson.dumps([*terms, number])).hexdigest()
        if found not in former or former[found].retracted is None:
            return found
        number += 1


def _write(path: Path, content: Mapping[str, object]) -> None:
    draft = path.with_name(f".{path.name}.writing")
    draft.touch(mode=0o600)
    draft.write_bytes(orjson.dumps(content))
    _put(draft, path)


def _put(draft: Path, path: Path) -> None:
    """Make a file durable and move it to its place."""
    draft.chmod(0o600)
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)
