"""The archive: loaded landing files packed into one gzip file per lane and day, so that files stay few.

A gzip file may consist of several members, so packing appends to a copy, makes it durable under the day's name and
only then deletes what it packed. A crash in between packs the same lines twice, which a reader tells by their ids.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from dlt_sources.platform import Lane
from orchestration.landing.files import SUFFIX, Landed, Landing, sync_folder, written_at

#: Loaded files of the day that is not over are left alone until there are so many.
MANY = 1_000


def compact(landing: Landing, lane: Lane, *, many: int = MANY) -> int:
    """Pack loaded files of past days, and of today when there are many; returns how many files went."""
    folder = landing.folder / "archive" / lane
    folder.mkdir(parents=True, exist_ok=True)
    today, packed = _day_name(datetime.now(UTC)), 0
    for day, group in groupby(landing.waiting(lane, "loaded"), key=_day):
        paths = list(group)
        if day < today or len(paths) >= many:
            _pack(folder / f"{day}{SUFFIX}.gz", paths)
            packed += len(paths)
    return packed


def archived(landing: Landing, lane: Lane) -> Iterator[Landed]:
    """Every archived request of a lane, oldest day first; one that was packed twice comes twice."""
    for path in sorted((landing.folder / "archive" / lane).glob(f"*{SUFFIX}.gz")):
        with gzip.open(path, "rb") as file:
            for line in file:
                yield Landed.of(line)


def _pack(target: Path, paths: list[Path]) -> None:
    draft = target.with_name(f"{target.name}.tmp")
    with draft.open("wb") as file:
        if target.exists():
            with target.open("rb") as former:
                shutil.copyfileobj(former, file, 1 << 20)
        with gzip.GzipFile(fileobj=file, mode="wb") as member:
            for path in paths:
                with path.open("rb") as lines:
                    shutil.copyfileobj(lines, member)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(0o600)
    draft.replace(target)
    sync_folder(target.parent)
    for path in paths:
        path.unlink(missing_ok=True)


def _day(path: Path) -> str:
    return _day_name(datetime.fromtimestamp(written_at(path), UTC))


def _day_name(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
