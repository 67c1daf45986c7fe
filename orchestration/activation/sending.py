"""Sending what the outbox owes: one queue per destination account and operation, each with a thread of its own.

A queue that fails waits by itself: no destination delays another, and within one a bad row delays nobody but itself.
Nothing is given up because a destination is sick; only a row that the destination calls faulty again and again is, and
then with an alarm in the log.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast

from sqlalchemy import Row as SqlRow

from dlt_sources.errors import AudiencesError, NotOffered, RetryLater, SetAside, StopRun
from dlt_sources.platform import Destination, Identifier, IdentifierKind, Operation, Outcome, Row
from orchestration.activation.catalogue import target
from orchestration.activation.keys import keyed_hash, suppression_keys
from orchestration.activation.ledger import resolve, stored_row
from orchestration.activation.outbox import BACKOFF, SLOW, Outbox
from orchestration.activation.owing import Owing
from orchestration.landing import by_hand
from orchestration.landing.files import Landing

_log = logging.getLogger(__name__)

#: A queue whose calls get no answer pauses no longer than this before it asks again.
_LONGEST_PAUSE = 30.0
#: A call that has failed this often (after about twelve seconds, then once a minute and less) is an alarm in the log.
_ALARM_AFTER = 4
#: Calls picked up at once, and records in one look-up.
_PICKED, _LOOK_UPS = 1000, 50


class Sender:
    """Delivers due calls concurrently; `woken` is set whenever there may be more to do."""

    def __init__(self, owing: Owing, woken: threading.Event | None = None, landing: Landing | None = None) -> None:
        self.owing = owing
        self.landing = landing
        self.outbox = Outbox(owing.state)
        self.woken = woken or threading.Event()
        # Daemons: a destination that hangs must not keep the process from ending.
        self._running: dict[tuple[str, str], threading.Thread] = {}
        self._paused: dict[tuple[str, str], datetime] = {}
        self._failures: dict[tuple[str, str], int] = defaultdict(int)
        self._opened: dict[tuple[str, str], Destination] = {}
        self._stopping = False
        self._calls: Mapping[str, Callable[[Destination, Sequence[SqlRow[Any]]], Sequence[Outcome]]] = {
            "remove": self._remove,
            "suppress": self._suppress,
            "identify": self._identify,
        }

    def dispatch(self) -> None:
        """Start a thread for every queue with due calls that has none and is not pausing; returns at once."""
        now = datetime.now(UTC)
        for queue in self.outbox.queues(now):
            if queue not in self._running and self._paused.get(queue, now) <= now:
                name = " ".join(queue)
                thread = threading.Thread(target=self._guarded, args=(queue,), name=f"call {name}", daemon=True)
                self._running[queue] = thread
                thread.start()

    def idle(self) -> bool:
        """True when no call is under way."""
        return not self._running

    def wait_seconds(self, most: float) -> float:
        """How long until some queue has something to do, if that is sooner than `most` seconds."""
        first = self.outbox.next_due()
        until = (first - datetime.now(UTC)).total_seconds() if first else most
        # What is due already belongs to a queue that runs, and will wake us, or that pauses.
        return min(most, until) if until > 0 else most

    def close(self, seconds: float = 5.0) -> None:
        """Start nothing more and wait for calls under way; what they do not finish is owed still."""
        self._stopping = True
        end = time.monotonic() + seconds
        for thread in list(self._running.values()):
            thread.join(max(0.0, end - time.monotonic()))

    def _guarded(self, queue: tuple[str, str]) -> None:
        try:
            self._drain(queue)
        except Exception as error:
            _log.error("Calls to %s (%s) stopped and are tried again: %s", *queue, _place_of(error))
            self._pause(queue, _LONGEST_PAUSE)
        finally:
            del self._running[queue]
            self.woken.set()

    def _drain(self, queue: tuple[str, str]) -> None:
        key, operation = queue
        self._paused.pop(queue, None)
        while not self._stopping:
            due = self.outbox.due(key, operation, datetime.now(UTC), _PICKED)
            if not due:
                return
            try:
                destination = self._open(queue)
            except AudiencesError as error:
                self.outbox.later(due, str(error), SLOW)
                return
            groups: dict[tuple[str, str], list[SqlRow[Any]]] = defaultdict(list)
            for row in due:
                groups[row.channel, row.target].append(row)
            size = _LOOK_UPS if operation == "identify" else destination.batch_size.get(cast("Operation", operation), 1)
            for group in groups.values():
                for start in range(0, len(group), size):
                    self._attempt(queue, destination, group[start : start + size])
                    if self._stopping or queue in self._paused:
                        return

    def _open(self, queue: tuple[str, str]) -> Destination:
        """A destination of the queue's own (connections are not shared between threads), kept until a call fails."""
        if queue not in self._opened:
            self._opened[queue] = self.owing.destinations.open(queue[0])
        return self._opened[queue]

    def _attempt(self, queue: tuple[str, str], destination: Destination, rows: list[SqlRow[Any]]) -> None:
        """Make one call and write down how it ended."""
        try:
            outcomes = self._calls[queue[1]](destination, rows)
        except AudiencesError as error:
            self._refused(queue, destination, rows, error)
        except Exception as error:
            _log.error("A call to %s (%s) broke and is tried again: %s", *queue, _place_of(error))
            self._opened.pop(queue, None)
            self.outbox.later(rows, type(error).__name__)
        else:
            self._failures[queue] = 0
            self._settle(rows, outcomes)

    def _refused(
        self, queue: tuple[str, str], destination: Destination, rows: list[SqlRow[Any]], error: AudiencesError
    ) -> None:
        """What is to be done about an error of the tree.

        Patience for what may pass, halves for a call with a bad row in it, a slow pace for what a person must mend.
        """
        if isinstance(error, RetryLater):
            self._failures[queue] += 1
            pause = error.retry_after or min(_LONGEST_PAUSE, BACKOFF[min(self._failures[queue], len(BACKOFF)) - 1])
            if any(row.attempts >= _ALARM_AFTER for row in rows):
                _log.error("Calls to %s (%s) do not get through, and are tried on: %s", *queue, error)
            self.outbox.later(rows, str(error), at_least=error.retry_after or 0.0, counts=not error.throttled)
            self._pause(queue, pause)
        elif isinstance(error, SetAside) and len(rows) > 1:
            middle = len(rows) // 2
            self._attempt(queue, destination, rows[:middle])
            self._attempt(queue, destination, rows[middle:])
        elif isinstance(error, SetAside):
            self.outbox.faulty(rows, str(error))
        elif isinstance(error, NotOffered):
            self.outbox.dead(rows, str(error))
        else:
            _log.error("Calls to %s (%s) wait: %s", *queue, error)
            self._opened.pop(queue, None)
            self.outbox.later(rows, str(error), SLOW)
            if isinstance(error, StopRun) and error.failure.status in (401, 403, 429):  # else one list or record
                self._pause(queue, SLOW[0])

    def _remove(self, destination: Destination, rows: Sequence[SqlRow[Any]]) -> Sequence[Outcome]:
        sent = [Row(row_id=row.outbox_id, record_id=row.record_id) for row in rows]
        return destination.remove(target(rows[0].target), sent)

    def _suppress(self, destination: Destination, rows: Sequence[SqlRow[Any]]) -> Sequence[Outcome]:
        """Write withdrawals by identifier; where a destination holds them on records, it looks those up itself."""
        sent = [
            Row(
                row_id=row.outbox_id,
                record_id=None,
                identifier=Identifier(cast("IdentifierKind", row.identifier_kind), row.identifier),
            )
            for row in rows
        ]
        self.outbox.writing(rows)
        return destination.suppress(rows[0].channel, sent)

    def _identify(self, destination: Destination, rows: Sequence[SqlRow[Any]]) -> Sequence[Outcome]:
        """Look up whose records they are; what a platform no longer knows stays blocked by its record id alone."""
        found = destination.identify([row.record_id for row in rows])
        state = self.outbox.state
        for row in rows:
            identifiers = found.get(row.record_id, ())
            keys = [key for one in identifiers for key in suppression_keys(one, f"{row.platform}:{row.account}")]
            resolve(state, row.ledger_id, [keyed_hash(state.key, key) for key in keys])
            if known := stored_row(state, row.ledger_id):
                self.owing.owe_again(known, identifiers)
        self.woken.set()
        return [Outcome(row_id=row.outbox_id, status="accepted") for row in rows]

    def _settle(self, rows: Sequence[SqlRow[Any]], outcomes: Sequence[Outcome]) -> None:
        by_id = {outcome.row_id: outcome for outcome in outcomes}
        done = []
        for row in rows:
            outcome = by_id.get(row.outbox_id)
            if outcome is None:
                self.outbox.later([row], "the answer does not mention it")
            elif outcome.status == "accepted":
                done.append(row)
            elif outcome.status == "failed":
                self.outbox.later([row], f"{outcome.code} {outcome.detail}".strip())
            else:
                self.outbox.faulty([row], f"{outcome.code} {outcome.detail}".strip())
        self.outbox.done(done)
        self._tell([row for row in done if row.operation == "suppress" and row.reason == "manual_block"])

    def _tell(self, rows: Sequence[SqlRow[Any]]) -> None:
        """Let the next build know what was written because of blocks by hand: its echo is nobody's own opt-out."""
        if self.landing is None or not rows:
            return
        kinds = [Identifier(cast("IdentifierKind", row.identifier_kind), row.identifier) for row in rows]
        first = rows[0]  # all rows of a call go to one account and channel
        request = by_hand.written(first.platform, first.account, first.channel, kinds, datetime.now(UTC))
        try:
            self.landing.write("care", [request.line()])
        except OSError as error:
            _log.error("What was written to %s is not noted (%s): a lift will not undo it.", first.platform, error)

    def _pause(self, queue: tuple[str, str], seconds: float) -> None:
        self._paused[queue] = datetime.now(UTC) + timedelta(seconds=seconds)


class Turn:
    """Whose turn it is to make calls: one process of this machine at a time, so that no call is made by two."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "delivering.lock"
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """True when it is our turn; it stays so until `give`, and a process that dies gives it too."""
        if self._file is None:
            file = self._path.open("a")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            self._file = file
        return True

    def give(self) -> None:
        """Let the next one make calls."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _place_of(error: Exception) -> str:
    """Kind and place of an error that is none of ours; its text may quote whom a call was about."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}, {Path(frame.filename).name} line {frame.lineno}"
