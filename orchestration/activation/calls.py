"""One call of an apply, from the gate's first answer to its last: attempts, waiting, jobs, halving, taking back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dlt_sources.errors import Failure, NotOffered, PlatformError, RetryLater, SetAside, StopRun
from dlt_sources.platform import Destination, Identifier, Job, Outcome
from orchestration.activation.catalogue import target
from orchestration.activation.gate import GateRow
from orchestration.activation.outcomes import FINAL, Book
from orchestration.activation.patience import OutOfPatienceError, Patience
from orchestration.activation.planned import Call, PlannedRow

_log = logging.getLogger(__name__)

ATTEMPTS = 3
#: Calls that halving may add to one call before what is left of it waits for a later run.
_HALVINGS = 64


class Gate(Protocol):
    """Whoever knows whom nobody may contact any more; see `gate.Gate`."""

    def blocked(self, rows: Sequence[GateRow], build_id: int) -> Mapping[str, str]:
        """Row id → reason of every row that must not be sent; raises GateClosed when it cannot tell."""


@dataclass(slots=True)
class Caller:
    """Makes the calls of one plan at one destination and books how they end."""

    destination: Destination
    gate: Gate
    book: Book
    build_id: int
    patience: Patience
    calls: int = field(default=0, init=False)

    def send(self, call: Call) -> None:
        """Send the rows whose end is not on record yet; a call that is refused as a whole is halved."""
        known = self.book.known(call.rows)
        attempts = {row_id: one.attempts for row_id, one in known.items()}
        jobs: dict[str, list[PlannedRow]] = {}
        fresh = []
        for row in call.rows:
            one = known.get(row.row_id)
            if one is not None and one.state == "in_flight" and one.job_id:
                jobs.setdefault(one.job_id, []).append(row)
            elif one is None or one.state not in FINAL:
                fresh.append(row)
        for job_id, rows in jobs.items():
            self.follow(replace(call, rows=rows), job_id)
        waiting, halvings = [fresh] if fresh else [], 0
        while waiting:
            rows = waiting.pop()
            try:
                self._attempt(replace(call, rows=rows), attempts, refused=halvings > 0)
            except (SetAside, NotOffered) as error:
                if len(rows) == 1 or isinstance(error, NotOffered):
                    self._refused(rows, "dead", "refused", str(error))
                elif halvings < _HALVINGS:
                    halvings += 2
                    middle = len(rows) // 2
                    waiting += [rows[middle:], rows[:middle]]
                else:
                    self._refused(rows, "failed", "refused_together", str(error))

    def follow(self, call: Call, job_id: str) -> None:
        """Follow a vendor job to its end; one that outlasts our patience stays in flight for the next run."""
        waited, pause = 0.0, 0.25
        while True:
            try:
                outcomes = self.destination.poll(Job(job_id), [row.as_row() for row in call.rows])
            except RetryLater as error:
                outcomes, pause = None, max(pause, error.retry_after or 0.0)
            except SetAside as error:
                self._refused(call.rows, "failed", "job_refused", str(error))
                return
            if outcomes is not None:
                self._settle(call, outcomes)
                return
            if waited >= self.patience.job:
                return
            self.patience.sleep(pause)
            waited += pause
            pause = min(pause * 1.5, 10.0)

    def take_back(self, call: Call, reasons: Mapping[str, str]) -> None:
        """Remove rows that were, or may have been, added and are forbidden by now.

        Where that does not work either, they stay as they are on record and the next run takes them back first.
        """
        size = self.destination.batch_size.get("remove", 1)
        waiting = [call.rows[start : start + size] for start in range(0, len(call.rows), size)]
        while waiting:
            rows = waiting.pop(0)
            outcomes = self._taken_back(call.target, rows)
            if outcomes is None and len(rows) > 1:
                middle = len(rows) // 2
                waiting += [rows[:middle], rows[middle:]]
            taken = {outcome.row_id for outcome in outcomes or () if outcome.status == "accepted"}
            self.book.compensated([row for row in rows if row.row_id in taken], reasons)

    def give_up(self, call: Call) -> None:
        """End rows of a superseded plan that were sent and never answered: forbidden ones are taken back."""
        rows = call.rows
        if call.operation == "add" and self._removes:
            reasons = self.gate.blocked([row.as_gate_row() for row in rows], self.build_id)
            self.take_back(replace(call, rows=[row for row in rows if row.row_id in reasons]), reasons)
            rows = [row for row in rows if row.row_id not in reasons]
        self._refused(rows, "failed", "superseded", "A newer plan took its place before the call was answered.")

    @property
    def _removes(self) -> bool:
        """False where nobody can be taken back: such members stay on record, and plans count them as work by hand."""
        return self.destination.offers("remove")

    def _taken_back(self, target_text: str, rows: Sequence[PlannedRow]) -> Sequence[Outcome] | None:
        """The outcomes of a removal; None when the platform refuses the call as a whole."""
        for attempt in range(ATTEMPTS):
            try:
                return self._remove(target_text, rows)
            except RetryLater as error:
                self.patience.pause(error, attempt)
            except SetAside:
                return None
        return ()

    def _attempt(self, call: Call, attempts: dict[str, int], *, refused: bool) -> None:
        """Try one call until it is answered, at most three times; being asked for patience is no attempt.

        `refused` says that the rows were sent just now and certainly not taken.
        """
        tries = 0
        while True:
            call = self._past_gate(call, attempts)
            if not call.rows:
                return
            counted = {row.row_id: attempts.get(row.row_id, 0) + 1 for row in call.rows}
            self.book.begin(call.rows, counted, refused=refused)
            try:
                answer = self._call(call)
                break
            except RetryLater as error:
                if error.throttled:
                    self._wait(call, attempts, error)
                    refused = True
                    continue
                refused, tries = False, tries + 1
                for row in call.rows:
                    attempts[row.row_id] = attempts.get(row.row_id, 0) + 1
                if tries >= ATTEMPTS:
                    self._refused(call.rows, "failed", _code(error.failure), str(error))
                    return
                self.patience.pause(error, tries)
            except StopRun as error:
                self._refused(call.rows, "failed", _code(error.failure), str(error))
                raise
        if isinstance(answer, Job):
            self.book.carry(call.rows, answer.id)
            self.follow(call, answer.id)
        else:
            self._settle(call, answer)

    def _wait(self, call: Call, attempts: Mapping[str, int], error: RetryLater) -> None:
        try:
            self.patience.wait(error)
        except OutOfPatienceError:
            # The platform said that it did nothing; so the rows were not sent.
            uncounted = {row.row_id: attempts.get(row.row_id, 0) for row in call.rows}
            self.book.begin(call.rows, uncounted, refused=True)
            self._refused(call.rows, "failed", "throttled", str(error))
            raise

    def _past_gate(self, call: Call, attempts: Mapping[str, int]) -> Call:
        """Leave out whom the gate forbids; those that an earlier call may have added are taken back."""
        if call.operation != "add":
            return call
        reasons = self.gate.blocked([row.as_gate_row() for row in call.rows], self.build_id)
        if not reasons:
            return call
        forbidden = [row for row in call.rows if row.row_id in reasons]
        sent = [row for row in forbidden if self._removes and attempts.get(row.row_id)]
        if sent:
            self.take_back(replace(call, rows=sent), reasons)
        self.book.dropped([row for row in forbidden if not (self._removes and attempts.get(row.row_id))], reasons)
        return replace(call, rows=[row for row in call.rows if row.row_id not in reasons])

    def _call(self, call: Call) -> Sequence[Outcome] | Job:
        if call.operation == "remove":
            return self._remove(call.target, call.rows)
        self.calls += 1
        rows = [row.as_row() for row in call.rows]
        if call.operation == "suppress":
            return self.destination.suppress(call.channel, rows)
        return self.destination.add(target(call.target), rows)

    def _remove(self, text: str, rows: Sequence[PlannedRow]) -> Sequence[Outcome]:
        """Remove by record; a member known by its identifier only is looked up first."""
        unseen = [row for row in rows if row.record_id is None]
        found = self._records(unseen)
        sent = [row.as_row() for row in rows if row.record_id is not None]
        sent += [
            replace(row.as_row(), record_id=found[row.row_id], identifier=None) for row in unseen if row.row_id in found
        ]
        absent = [Outcome(row_id=row.row_id, status="accepted") for row in unseen if row.row_id not in found]
        if not sent:
            return absent
        self.calls += 1
        return [*self.destination.remove(target(text), sent), *absent]

    def _records(self, rows: Sequence[PlannedRow]) -> dict[str, str]:
        """Row id → record, for rows that name an identifier, as the destination knows it now."""
        wanted: dict[Identifier, str] = {row.named: row.row_id for row in rows if row.named is not None}
        if not wanted or not self.destination.offers("find"):
            return {}
        self.calls += 1
        found = self.destination.find(list(wanted))
        return {row_id: found[one][0] for one, row_id in wanted.items() if found.get(one)}

    def _settle(self, call: Call, outcomes: Sequence[Outcome]) -> None:
        """Book how a call ended, after asking the gate once more about whom it added."""
        by_id = {outcome.row_id: outcome for outcome in outcomes}
        lost = Outcome(row_id="", status="failed", code="no_outcome", detail="The destination named no outcome for it.")
        ended = {row.row_id: by_id.get(row.row_id, lost) for row in call.rows}
        accepted = [row for row in call.rows if ended[row.row_id].status == "accepted"]
        reasons: Mapping[str, str] = {}
        records: Mapping[str, str] = {}
        if call.operation == "add" and accepted:
            records = self._made(accepted)
        if call.operation == "add" and accepted and self._removes:
            # The last question before it is booked: an opt-out from here on finds the pending member. A member that was
            # removed during the call may have been added after that removal.
            reasons = {
                **self.book.removed(accepted),
                **self.gate.blocked([row.as_gate_row() for row in accepted], self.build_id),
            }
        for status in ("failed", "dead"):
            rows = [row for row in call.rows if ended[row.row_id].status == status]
            codes = {row.row_id: ended[row.row_id].code for row in rows}
            self.book.refused(rows, status, codes, {row.row_id: ended[row.row_id].detail for row in rows})
        unsure = {key for row in call.rows if ended[row.row_id].status != "accepted" for key in row.suppression_keys}
        self.book.accepted([row for row in accepted if row.row_id not in reasons], records, unsure)
        forbidden = [row for row in accepted if row.row_id in reasons]
        if forbidden:
            self.take_back(replace(call, rows=forbidden), reasons)

    def _made(self, rows: Sequence[PlannedRow]) -> dict[str, str]:
        """The records of members made just now; one that cannot be learnt is matched by a later plan."""
        try:
            return self._records([row for row in rows if row.record_id is None])
        except PlatformError as error:
            _log.info("The records of members made just now are not known yet: %s", type(error).__name__)
            return {}

    def _refused(self, rows: Sequence[PlannedRow], state: str, code: str, detail: str) -> None:
        codes, details = dict.fromkeys((row.row_id for row in rows), code), {row.row_id: detail for row in rows}
        self.book.refused(rows, state, codes, details)


def _code(failure: Failure) -> str:
    return "no_answer" if failure.status is None else f"http_{failure.status}"
