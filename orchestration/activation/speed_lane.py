"""The speed lane's worker: from a landed webhook to the removal at every destination, in well under a second.

It claims a file, writes what it forbids into the ledger, what that causes into the outbox, and moves the file to
`settled`; then it makes the calls. Each step may happen twice and has its effect once, so a crash anywhere only means
that somebody does it again.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError, OperationalError
from watchfiles import watch

from dlt_sources import tokens
from dlt_sources.errors import AudiencesError
from dlt_sources.platform import Lane
from orchestration.activation import ledger
from orchestration.activation.destinations import Destinations
from orchestration.activation.ledger import LedgerRow, Reader
from orchestration.activation.owing import Owing
from orchestration.activation.sending import Sender, Turn
from orchestration.activation.state import State
from orchestration.activation.token_store import Tokens
from orchestration.home import Home
from orchestration.landing.claims import LEASE_SECONDS, Claims
from orchestration.landing.endpoints import Endpoints
from orchestration.landing.files import DamagedFileError, Landing, read
from orchestration.landing.leaving import Leaving

_log = logging.getLogger(__name__)

#: Files claimed at once, and ledger rows written in one transaction.
_FILES, _ROWS = 200, 500
#: A file that cannot be settled is tried again this much later.
_STUCK_SECONDS = 5.0
#: The worker looks around this often, also when nothing wakes it.
_IDLE_SECONDS = 0.5
#: How often the speed lane's worker shows that it is alive.
_BEAT_SECONDS = 1.0


@dataclass(slots=True)
class Settled:
    """What one round did: files and requests moved on, ledger rows written, calls owed, files that cannot be read."""

    files: int = 0
    requests: int = 0
    rows: int = 0
    calls: int = 0
    stuck: int = 0

    def add(self, other: Settled) -> None:
        """Count another round in; files that cannot be read are those of the last round."""
        self.files += other.files
        self.requests += other.requests
        self.rows += other.rows
        self.calls += other.calls
        self.stuck = other.stuck


class Worker:
    """Settles one lane; the speed lane's also makes the calls that are owed."""

    def __init__(
        self,
        landing: Landing,
        state: State,
        reader: Reader,
        destinations: Destinations,
        *,
        lane: Lane = "speed",
        lease: float = LEASE_SECONDS,
    ) -> None:
        landing.create()
        self.landing = landing
        self.state = state
        self.reader = reader
        self.lane = lane
        self.owing = Owing(state, destinations)
        self.woken = threading.Event()
        self._claims = Claims(landing, lane, lease=lease)
        self._turn = Turn(state.folder)
        self._stuck: dict[str, float] = {}
        self._beaten = 0.0

    @classmethod
    def of(cls, home: Home, state: State, *, lane: Lane = "speed") -> Worker:
        """The worker of a home, with the accounts that its configuration names now."""
        if lane == "speed":  # the one that calls platforms
            tokens.keep_in(Tokens(state))
        reader = Reader(Endpoints.load(home.folder), Leaving(home.published), state.key)
        return cls(Landing(home.landing), state, reader, Destinations.load(home.folder), lane=lane)

    def settle_once(self) -> Settled:
        """Settle everything that waits now; makes no call."""
        done = Settled()
        while paths := self._claims.claim(_FILES, leave=self._resting()):
            before = done.files
            self._settle(paths, done)
            if done.files == before:
                break
        done.stuck = len(self._stuck)
        return done

    def deliver_once(self, seconds: float = 30.0) -> None:
        """Have the calls made that are due now, by us or by the worker whose turn it is; waits at most so long."""
        sender = Sender(self.owing, self.woken, self.landing)
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.woken.clear()
                if self._turn.take():
                    sender.dispatch()
                if sender.idle() and not sender.outbox.queues(datetime.now(UTC)):
                    return
                self.woken.wait(0.02)
        finally:
            sender.close()
            self._turn.give()

    def run(self, stop: threading.Event, seconds: float | None = None) -> Settled:
        """Settle and deliver until `stop` is set or the time is up; whoever is next finishes what is left."""
        end = time.monotonic() + seconds if seconds else float("inf")
        total, sender = Settled(), Sender(self.owing, self.woken, self.landing)
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(ended,), name="watch-landing", daemon=True)
        watcher.start()
        try:
            while not stop.is_set() and (left := end - time.monotonic()) > 0:
                self.woken.clear()
                try:
                    self._beat()
                    total.add(self.settle_once())
                    pause = self._deliver(sender)
                except Exception as error:  # the files stay where they are, and the gate sees them there
                    _log.error("The %s lane waits: %s", self.lane, _plain(error))
                    pause = _IDLE_SECONDS
                self.woken.wait(min(pause, left))
        finally:
            ended.set()
            sender.close()
            self._turn.give()
            self.close()
            watcher.join(timeout=2)
        return total

    def close(self) -> None:
        """Let go of the claims, so that another worker can go on at once."""
        self._claims.release()

    def _settle(self, paths: list[Path], done: Settled) -> None:
        """Ledger first, then the outbox, then the move; a few hundred rows at a time."""
        batch: dict[Path, list[LedgerRow]] = {}
        for path in paths:
            self._claims.renew()
            try:
                batch[path], count = self._read(path)
            except FileNotFoundError:  # our lease had ended and somebody else has settled it
                continue
            done.requests += count
            if sum(map(len, batch.values())) >= _ROWS:
                self._commit(batch, done)
                batch = {}
        self._commit(batch, done)

    def _read(self, path: Path) -> tuple[list[LedgerRow], int]:
        """A file's ledger rows. What can be read of it counts at once, also when not all of it can."""
        rows: list[LedgerRow] = []
        count = 0
        problem: Exception | None = None
        try:
            for landed in read(path):
                count += 1
                try:
                    rows += self.reader.rows(landed)
                except Exception as error:  # whatever breaks its reader, the other requests of the file count
                    problem = error
        except DamagedFileError as error:
            problem = error
        if problem is None:
            self._stuck.pop(path.name, None)
        else:
            self._stick(path, problem)
        return rows, count

    def _commit(self, batch: dict[Path, list[LedgerRow]], done: Settled) -> None:
        try:
            mine = ledger.record(self.state, [row for rows in batch.values() for row in rows])
            done.calls += self.owing.owe(mine)
        except DBAPIError as error:
            if isinstance(error, OperationalError):  # the store itself is in trouble
                raise
            for path, rows in batch.items():  # a value that the store does not take: find its file
                if len(batch) > 1:
                    self._commit({path: rows}, done)
                else:
                    self._stick(path, error)
            return
        done.rows += len(mine)
        for path in batch:
            if path.name not in self._stuck and self.landing.move(path, self.lane, "settled"):
                done.files += 1

    def _stick(self, path: Path, error: Exception) -> None:
        if path.name not in self._stuck:
            _log.error("Landing file %s waits, and the gate is closed until it is read: %s", path.name, _plain(error))
        self._stuck[path.name] = time.monotonic() + _STUCK_SECONDS

    def _resting(self) -> set[str]:
        now = time.monotonic()
        return {name for name, until in self._stuck.items() if until > now}

    def _deliver(self, sender: Sender) -> float:
        """Start the calls that are due; returns how long nothing more will be."""
        if self.lane != "speed":
            return _IDLE_SECONDS
        if not self._turn.take():
            return 0.1
        sender.dispatch()
        return sender.wait_seconds(_IDLE_SECONDS)

    def _beat(self) -> None:
        """Show that somebody works this lane."""
        now = time.monotonic()
        if self.lane == "speed" and now - self._beaten >= _BEAT_SECONDS:
            self.state.beat.touch()
            self._beaten = now

    def _watch(self, ended: threading.Event) -> None:
        for _ in watch(self.landing.path(self.lane, "ready"), stop_event=ended, debounce=50, step=10):
            self.woken.set()


def settle(home: Home, state: State, lane: Lane) -> Settled:
    """Settle what waits in a lane now: what it forbids is in the ledger, the rest comes with the next build."""
    worker = Worker.of(home, state, lane=lane)
    try:
        return worker.settle_once()
    finally:
        worker.close()


def _plain(error: Exception) -> str:
    """An error's text when it is one of ours, else its kind alone: a foreign text may quote what it choked on."""
    return str(error) if isinstance(error, AudiencesError) else type(error).__name__
