"""Whether the receiver can land a webhook now: asked by whoever decides to send it any."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dlt_sources.platform import LANES
from orchestration.landing.files import Landing

#: An answer holds this long, so that asking often costs nothing.
_KEPT_SECONDS = 1.0
#: A file system that can name no more files is full, however many bytes are free.
_FEWEST_FILES = 1_000


def unfit(landing: Landing, floor: int) -> str:
    """Why nothing can be landed: a fixed word, perhaps with figures; empty when it can. `floor` is in bytes."""
    try:
        for lane in LANES:
            _probe(landing, lane)
        free, names = free_bytes(landing), os.statvfs(landing.folder)
    except OSError as error:
        return f"not_writable: {error.strerror}"
    if free < floor:
        return f"disk_full: {free // 2**20} MB are free, {floor // 2**20} MB are needed"
    if names.f_files and names.f_favail < _FEWEST_FILES:
        return f"disk_full: {names.f_favail} more files have room"
    return ""


def free_bytes(landing: Landing) -> int:
    """What the receiver may still write on the landing zone's disk."""
    return shutil.disk_usage(landing.folder).free


def _probe(landing: Landing, lane: str) -> None:
    """Write and drop a file where landing files begin; it bears no landing file's name, so nobody reads it."""
    if not os.access(landing.folder / lane / "ready", os.W_OK | os.X_OK):
        raise PermissionError(1, "the landing folder cannot be written to")
    path = landing.folder / lane / "writing" / f"probe.{os.getpid()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, b"?")
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


@dataclass
class Health:
    """The receiver's answer to GET /healthz."""

    landing: Landing
    floor: int
    _asked: float = field(default=float("-inf"))
    _answer: str = ""

    async def healthz(self, _request: Request) -> Response:
        """200 when a webhook could be landed now, else 503 with the reason; nothing about what was received."""
        if time.monotonic() - self._asked > _KEPT_SECONDS:
            self._answer = await asyncio.to_thread(unfit, self.landing, self.floor)
            self._asked = time.monotonic()
        headers = {"Cache-Control": "no-store"}
        if self._answer:
            return JSONResponse({"status": "unavailable", "reason": self._answer}, 503, headers)
        return JSONResponse({"status": "ok"}, headers=headers)
