"""Arrivals: how many webhooks came from each platform account, per topic and hour, in small files.

    landing/arrivals/<day>.<receiver>.json

A receiver rewrites its own file of the day every few seconds, outside the way of a webhook. Figures only, nothing about
a person. What a killed receiver had not written yet is missing here, and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from dlt_sources import registry

FLUSH_SECONDS = 5.0
KEPT = timedelta(days=60)
#: In place of a topic that its platform does not declare: a sender's word must not make ever more rows.
UNKNOWN = "unknown"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What came within one hour for one topic of one platform account."""

    platform: str
    account: str
    topic: str
    count: int
    first: datetime
    last: datetime


class Arrivals:
    """One receiver's book of arrivals."""

    def __init__(self, landing: Path) -> None:
        self.folder = landing / "arrivals"
        self._name = secrets.token_hex(4)
        #: Count, first and last by (hours since 1970, platform, account, topic).
        self._hours: dict[tuple[int, str, str, str], list[float]] = {}
        self._changed = False

    def note(self, platform: str, account: str, topic: str, at: datetime) -> None:
        """Count one webhook."""
        when = at.timestamp()
        hour = int(when // 3600)
        row = self._hours.get((hour, platform, account, topic))
        if row is None:
            known = topic if registry.platform(platform).topic(topic) else UNKNOWN
            row = self._hours.setdefault((hour, platform, account, known), [0, when, when])
        row[:] = [row[0] + 1, min(row[1], when), max(row[2], when)]
        self._changed = True

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Write the book every few seconds, and once more at the end."""
        forget(self.folder)
        task = asyncio.create_task(self._run(), name="arrivals")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._write(self._drafts())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            if self._changed:
                self._changed = False
                await asyncio.to_thread(self._write, self._drafts())

    def _drafts(self) -> dict[str, bytes]:
        """The files of the days in the book; days that are over leave it."""
        days: dict[str, list[dict[str, object]]] = {}
        for (hour, platform, account, topic), (count, first, last) in self._hours.items():
            row = {"platform": platform, "account": account, "topic": topic, "count": int(count)}
            day = f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%d}"
            days.setdefault(day, []).append({**row, "first": first, "last": last})
        today = int(time.time() // 86_400) * 24
        self._hours = {key: row for key, row in self._hours.items() if key[0] >= today}
        return {day: orjson.dumps(rows) for day, rows in days.items()}

    def _write(self, drafts: dict[str, bytes]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for day, content in drafts.items():
                path = self.folder / f"{day}.{self._name}.json"
                draft = path.with_suffix(".tmp")
                draft.write_bytes(content)
                draft.replace(path)
        except OSError as error:
            _log.warning("Arrivals could not be noted (%s); webhooks land all the same.", error.strerror)


def since(landing: Path, at: datetime) -> Iterator[Arrived]:
    """What arrived from the day of `at` on, of all receivers; nothing when none has written yet."""
    first_day = f"{at.astimezone(UTC):%Y-%m-%d}"
    for path in sorted((landing / "arrivals").glob("*.json")):
        if path.name[:10] < first_day:
            continue
        with contextlib.suppress(FileNotFoundError):  # forgotten meanwhile
            for row in orjson.loads(path.read_bytes()):
                first, last = (datetime.fromtimestamp(row.pop(name), UTC) for name in ("first", "last"))
                yield Arrived(first=first, last=last, **row)


def forget(folder: Path) -> None:
    """Drop the files of days beyond what any rule looks at, and drafts that a killed receiver left."""
    oldest = f"{datetime.now(UTC) - KEPT:%Y-%m-%d}"
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):
            abandoned = path.suffix == ".tmp" and time.time() - path.stat().st_mtime > KEPT.total_seconds()
            if abandoned or (path.suffix == ".json" and path.name[:10] < oldest):
                path.unlink()
