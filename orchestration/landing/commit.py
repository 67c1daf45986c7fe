"""Group commit: every request that arrives within a few milliseconds becomes durable by the same fsync.

One committer per lane, each with a thread of its own for the disk, so that a flood of one lane does not make the
opt-outs of another wait.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from dlt_sources.platform import Lane
from orchestration.landing.files import Landing

#: How long the first request of a group waits for others. While the disk works, the next group gathers anyway.
WINDOW_SECONDS = 0.002
#: More than this waiting for the disk means that the disk does not keep up: senders are asked to come back.
MOST_WAITING_BYTES = 64 * 1024 * 1024


class NotDurableError(Exception):
    """The line could not be made durable; the sender must not be acknowledged."""


class GroupCommit:
    """The writer of one lane; belongs to one event loop."""

    def __init__(self, landing: Landing, lane: Lane) -> None:
        self.landing = landing
        self.lane = lane
        self._lines: list[bytes] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"land-{lane}")
        self._task = asyncio.create_task(self._run(), name=f"land-{lane}")

    async def add(self, line: bytes) -> None:
        """Return when the line is durable in `ready/`; NotDurableError when it is not."""
        if self._closing or self._bytes + len(line) > MOST_WAITING_BYTES:
            raise NotDurableError("the disk does not keep up" if not self._closing else "the receiver is stopping")
        waiter = asyncio.get_running_loop().create_future()
        self._lines.append(line)
        self._waiters.append(waiter)
        self._bytes += len(line)
        self._arrived.set()
        await waiter

    async def close(self) -> None:
        """Commit what waits, then end."""
        self._closing = True
        self._arrived.set()
        await self._task
        self._thread.shutdown()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._closing:
                await asyncio.sleep(WINDOW_SECONDS)
            self._arrived.clear()
            if self._lines:
                await self._commit()
            elif self._closing:
                return
            if self._closing:
                self._arrived.set()

    async def _commit(self) -> None:
        lines, waiters, self._lines, self._waiters = self._lines, self._waiters, [], []
        problem: NotDurableError | None = None
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self.landing.write, self.lane, lines)
        except Exception as error:  # whatever it was, nobody may be told that these lines are safe
            problem = NotDurableError(getattr(error, "strerror", None) or type(error).__name__)
        self._bytes -= sum(map(len, lines))
        for waiter in waiters:
            if waiter.done():  # its sender has hung up
                continue
            if problem is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(problem)
