"""Claims: which worker holds which landing files, and what happens to those of a worker that is gone.

A worker claims a file by renaming it into its own folder below `claimed/`. The folder's `.lease` file names the
holder; the holder touches it, and a folder whose lease has not been touched for the length of a lease is taken over
whole, in place: its files do not move, so a reader who walks ready → claimed cannot miss them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from dlt_sources.platform import Lane
from orchestration.landing.files import Landing

#: A holder that has not renewed for this long is taken for dead.
LEASE_SECONDS = 10.0
_LEASE = ".lease"


class Claims:
    """The claims of one worker on one lane; not shared between threads."""

    def __init__(self, landing: Landing, lane: Lane, *, lease: float = LEASE_SECONDS) -> None:
        self.landing = landing
        self.lane = lane
        self.lease = lease
        self._claimed = landing.path(lane, "claimed")
        self._name()
        self._held: set[Path] = set()
        self._renewed = 0.0

    def claim(self, most: int, *, leave: Container[str] = ()) -> list[Path]:
        """Hold up to `most` files, oldest first: those of workers that are gone, then what is ready.

        Held files whose names are in `leave` are not given out again now.
        """
        self.renew()
        held = [path for folder in sorted(self._held) for path in self._files(folder) if path.name not in leave]
        for path in self.landing.waiting(self.lane, "ready"):
            if len(held) >= most:
                break
            target = self._own / path.name
            with contextlib.suppress(FileNotFoundError):  # another worker was quicker
                path.rename(target)
                held.append(target)
        return held[:most]

    def renew(self, *, force: bool = False) -> None:
        """Touch what this worker holds and take over what nobody holds any more, at most four times a lease."""
        now = time.monotonic()
        if not force and now - self._renewed < self.lease / 4:
            return
        with self._locked():
            self._held = {folder for folder in self._held if self._holder(folder) == self.worker}
            if self._holder(self._own) not in ("", self.worker):  # we were taken for dead
                self._name()
            self._own.mkdir(exist_ok=True)
            for folder in {self._own, *self._held, *self._orphans()}:
                self._take(folder)
        self._renewed = now

    def release(self) -> None:
        """End the leases now, so that another worker can take over at once; empty folders go."""
        with self._locked():
            for folder in self._held:
                if self._holder(folder) == self.worker:
                    _forget(folder)
        self._held.clear()
        self._renewed = 0.0

    def _name(self) -> None:
        self.worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._own = self._claimed / self.worker

    def _orphans(self) -> Iterator[Path]:
        for folder in self._claimed.iterdir():
            if folder.is_dir() and folder not in self._held and folder != self._own and self._orphaned(folder):
                yield folder

    def _orphaned(self, folder: Path) -> bool:
        try:
            renewed = (folder / _LEASE).stat().st_mtime
        except FileNotFoundError:
            return True
        return time.time() - renewed > self.lease or _dead(self._holder(folder))

    def _take(self, folder: Path) -> None:
        if folder != self._own and not self._files(folder):
            _forget(folder)
            self._held.discard(folder)
            return
        (folder / _LEASE).write_text(self.worker)
        self._held.add(folder)

    @staticmethod
    def _files(folder: Path) -> list[Path]:
        return sorted(path for path in folder.iterdir() if path.name != _LEASE)

    @staticmethod
    def _holder(folder: Path) -> str:
        try:
            return (folder / _LEASE).read_text()
        except FileNotFoundError:
            return ""

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Only for the moment in which leases are read and written; the lock of a process that dies is free."""
        with (self._claimed / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _dead(worker: str) -> bool:
    """True when the worker was a process of this machine that has ended: no need to wait for its lease."""
    host, _, rest = worker.rpartition("-")[0].rpartition("-")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError):
        return False
    return False


def _forget(folder: Path) -> None:
    (folder / _LEASE).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty: its files wait for the next worker
        folder.rmdir()
