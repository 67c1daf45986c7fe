"""Landing files: webhook requests as received, one JSON line each, in files that walk from folder to folder.

    landing/<lane>/writing/             a file being written; nobody has been promised anything
    landing/<lane>/ready/               durable and acknowledged
    landing/<lane>/claimed/<worker>/    a worker holds it (see claims.py)
    landing/<lane>/settled/             its effects are committed
    landing/<lane>/loaded/              its rows are in the warehouse
    landing/archive/<lane>/<day>.jsonl.gz
    landing/arrivals/                   how many came when (see arrivals.py)

A file only ever moves forward, by rename. So whoever looks at `ready`, then at `claimed`, then at the ledger cannot
miss a request that was acknowledged before he began.
"""

from __future__ import annotations

import binascii
import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

import orjson

from dlt_sources.errors import AudiencesError
from dlt_sources.platform import LANES, Lane, WebhookRequest

Stage = Literal["ready", "claimed", "settled", "loaded"]
STAGES: tuple[Stage, ...] = ("ready", "claimed", "settled", "loaded")
SUFFIX = ".jsonl"
#: A file holds at most about this much, so that who reads it needs bounded memory.
_FILE_BYTES = 8 * 1024 * 1024
#: A file left in `writing` this long belongs to a receiver that died; its senders were never acknowledged.
_ABANDONED_SECONDS = 3600.0


class DamagedFileError(AudiencesError):
    """A landing file that holds something we did not write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """One webhook request as received; `id` sorts by time of receipt."""

    id: str
    received_at: datetime
    platform: str
    account: str
    lane: Lane
    topic: str
    delivery_id: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def request(self) -> WebhookRequest:
        """The request as the platform's webhook module reads it."""
        return WebhookRequest(
            method=self.method, url=self.url, headers=self.headers, body=self.body, received_at=self.received_at
        )

    def line(self) -> bytes:
        """The request as one line of a landing file."""
        document = {
            "id": self.id,
            "received_at": self.received_at.isoformat(),
            "platform": self.platform,
            "account": self.account,
            "lane": self.lane,
            "topic": self.topic,
            "delivery_id": self.delivery_id,
            "method": self.method,
            "url": self.url,
            "headers": dict(self.headers),
            "body": binascii.b2a_base64(self.body, newline=False).decode("ascii"),
        }
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def of(cls, line: bytes) -> Landed:
        """Read a line back; ValueError, KeyError or TypeError when it is not one of ours."""
        document = orjson.loads(line)
        received = datetime.fromisoformat(document.pop("received_at"))
        body = binascii.a2b_base64(document.pop("body"), strict_mode=True)
        return cls(received_at=received, body=body, **document)


@dataclass(frozen=True, slots=True)
class StageCount:
    """How many files wait at a stage of a lane, and for how many seconds the oldest has."""

    lane: Lane
    stage: Stage
    files: int
    oldest_seconds: float


def new_id() -> str:
    """A UUID of version 7: 48 bits of milliseconds, 12 of their fractions, the rest random."""
    now = time.time_ns()
    milliseconds, rest = divmod(now, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    text = f"{milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Landing:
    """The landing zone of one installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self) -> None:
        """Make the folders, durably; harmless when they exist."""
        for lane in LANES:
            for name in ("writing", *STAGES):
                (self.folder / lane / name).mkdir(parents=True, exist_ok=True)
            sync_folder(self.folder / lane)
        (self.folder / "archive").mkdir(exist_ok=True)
        sync_folder(self.folder)
        sync_folder(self.folder.parent)

    def path(self, lane: Lane, stage: Stage) -> Path:
        """The folder of a stage."""
        return self.folder / lane / stage

    def write(self, lane: Lane, lines: Sequence[bytes]) -> list[Path]:
        """Make the lines durable in `ready/`; after an OSError some may be there, and their repeat is harmless."""
        return [self._write_file(lane, part) for part in _parts(lines)]

    def move(self, path: Path, lane: Lane, stage: Stage) -> Path | None:
        """Move a file on; None when somebody else has already."""
        target = self.path(lane, stage) / path.name
        try:
            path.rename(target)
        except FileNotFoundError:
            return None
        return target

    def waiting(self, lane: Lane, stage: Stage) -> list[Path]:
        """The files at a stage, oldest first; FileNotFoundError when the landing zone is not there."""
        if stage != "claimed":
            return _files(self.path(lane, stage))
        found: list[Path] = []
        for worker in self._workers(lane):
            with contextlib.suppress(FileNotFoundError):  # one that has just gone leaves an empty folder
                found += _files(worker)
        return sorted(found, key=lambda path: path.name)

    def pending(self, lane: Lane) -> Iterator[Path]:
        """The files whose effects may not be in the ledger yet, in flow order; one may have moved on when opened."""
        yield from self.waiting(lane, "ready")
        yield from self.waiting(lane, "claimed")

    def count(self, lane: Lane, stage: Stage) -> int:
        """How many files are at a stage; 0 when the landing zone is not there yet."""
        return len(self._names(lane, stage))

    def counts(self) -> list[StageCount]:
        """Files and oldest age of every lane and stage; names alone are read, so that many files cost little."""
        now = time.time()
        result = []
        for lane in LANES:
            for stage in STAGES:
                names = self._names(lane, stage)
                oldest = max(0.0, now - written_at(Path(min(names)))) if names else 0.0
                result.append(StageCount(lane, stage, len(names), oldest))
        return result

    def sweep(self) -> None:
        """Drop half-written files of receivers that died; nobody was acknowledged for them."""
        for lane in LANES:
            for path in _files(self.folder / lane / "writing"):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                        path.unlink()

    def _names(self, lane: Lane, stage: Stage) -> list[str]:
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError):
            for folder in self._workers(lane) if stage == "claimed" else [self.path(lane, stage)]:
                names += _names(folder)
        return names

    def _workers(self, lane: Lane) -> list[Path]:
        with os.scandir(self.path(lane, "claimed")) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir()]

    def _write_file(self, lane: Lane, lines: Sequence[bytes]) -> Path:
        name = f"{new_id()}{SUFFIX}"
        draft, target = self.folder / lane / "writing" / name, self.path(lane, "ready") / name
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
        return target


def read(path: Path) -> Iterator[Landed]:
    """The requests of a landing file; FileNotFoundError when it has moved on, DamagedFileError when it is not ours."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                landed = Landed.of(line)
            except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
                raise DamagedFileError(
                    f"Landing file {path.name}, line {number}, cannot be read ({type(error).__name__}): "
                    "restore it from a copy of the disk, or look at it and take it out of the landing zone."
                ) from None
            yield landed


def _parts(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) > _FILE_BYTES:
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield part


def _files(folder: Path) -> list[Path]:
    return [folder / name for name in sorted(_names(folder))]


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.name.endswith(SUFFIX)]


def written_at(path: Path) -> float:
    """Seconds since 1970 at which a landing file was begun; its name carries them."""
    return (UUID(path.name.removesuffix(SUFFIX)).int >> 80) / 1000


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
