"""Apply: sends exactly what a plan says, removals first, and books every row's end as it arrives.

A row that may have reached its destination is in flight on record before the call; running again after a crash follows
vendor jobs first, asks the gate, and repeats what has no known end. One process at a time applies to an account.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from filelock import FileLock, Timeout

from dlt_sources.errors import AudiencesError, GateClosed, StopRun
from dlt_sources.platform import Destination
from orchestration.activation import plan_records
from orchestration.activation.calls import Caller, Gate
from orchestration.activation.outcomes import FINAL, Book
from orchestration.activation.patience import Patience
from orchestration.activation.plan_records import REMOVALS, Plan
from orchestration.activation.planned import calls, grouped, some
from orchestration.activation.state import State
from orchestration.home import Home

_log = logging.getLogger(__name__)
#: A large plan takes long; whoever waits for the account's turn rather waits than fails.
_LOCK_SECONDS = 900.0

Destinations = Callable[[str, str], Destination]
#: Called after every call with the plan's id, its rows that are done and its rows in all.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How one plan stands after a run: rows by outcome over all its runs, calls and seconds of this one.

    status: applied (every row has its end) | ready (a later run goes on) | superseded. `dropped` rows were stopped by
    the gate before a call, `compensated` ones taken back after it. `problem` says why the run stopped short.
    """

    plan_id: str
    path: str
    platform: str
    account: str
    audience: str
    target: str
    status: str
    rows: int
    accepted: int = 0
    failed: int = 0
    dead: int = 0
    dropped: int = 0
    compensated: int = 0
    in_flight: int = 0
    calls: int = 0
    seconds: float = 0.0
    problem: str = ""


def apply(
    home: Home,
    state: State,
    gate: Gate,
    destinations: Destinations,
    *,
    plan_ids: Collection[str] | None = None,
    path: str = "",
    audience: str = "",
    progress: Progress | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    patience: Patience | None = None,
) -> list[Applied]:
    """Apply the plans named, else every ready one, of one path or audience where given.

    A plan that is applied already changes nothing.

    Raises AudiencesError for a named plan that is held, superseded or unknown. A destination that fails stops alone.
    """
    run = _Run(home, state, gate, destinations, progress or _silent, clock, patience or Patience())
    chosen = [
        plan
        for plan in plan_records.chosen(state, plan_ids)
        if path in ("", plan.path) and audience in ("", plan.audience)
    ]
    ready = [plan for plan in chosen if plan.status == "ready"]
    results = [run.told(plan) for plan in chosen if plan.status == "applied"]
    for platform, account in dict.fromkeys((plan.platform, plan.account) for plan in ready):
        mine = [plan for plan in ready if (plan.platform, plan.account, plan.path) == (platform, account, REMOVALS)]
        results += run.account(platform, account, mine, finish_older=False)
    for platform, account in dict.fromkeys(
        (plan.platform, plan.account) for plan in [*ready, *plan_records.superseded_in_flight(state)]
    ):
        mine = [plan for plan in ready if (plan.platform, plan.account) == (platform, account)]
        mine = [plan for plan in mine if plan.path != REMOVALS]
        results += run.account(platform, account, mine, finish_older=True)
    return results


@dataclass(slots=True)
class _Run:
    """One run over all destinations; an account that stopped stays stopped for the run."""

    home: Home
    state: State
    gate: Gate
    destinations: Destinations
    progress: Progress
    clock: Callable[[], datetime]
    patience: Patience
    _stopped: dict[tuple[str, str], str] = field(default_factory=dict, init=False)

    def account(self, platform: str, account: str, mine: Sequence[Plan], *, finish_older: bool) -> list[Applied]:
        """Apply plans of one account; what goes wrong there is told in the results and stops nothing elsewhere."""
        results: list[Applied] = []
        problem = self._stopped.get((platform, account), "")
        if problem:
            return [self.told(plan, problem=problem) for plan in mine]
        with self._guarded(platform, account), self._alone(platform, account):
            destination, patience = self.destinations(platform, account), replace(self.patience)
            if finish_older:
                self._finish_older(destination, patience)
            for plan in mine:
                with self._guarded(platform, account):
                    results.append(self._plan(plan, destination, patience))
                if (platform, account) in self._stopped:
                    break
        told = {result.plan_id for result in results}
        problem = self._stopped.get((platform, account), "")
        return [*results, *(self.told(plan, problem=problem) for plan in mine if plan.plan_id not in told)]

    def told(self, plan: Plan, caller: Caller | None = None, *, seconds: float = 0.0, problem: str = "") -> Applied:
        """How a plan stands now; closes it when every row has its end."""
        counts = Book(self.state, plan.plan_id, self.clock).counts()
        total = plan.adds + plan.updates + plan.removes + plan.suppressions
        if plan.status == "ready" and sum(counts.get(state, 0) for state in FINAL) == total:
            plan_records.close(self.state, plan.plan_id, self.clock())
        return Applied(
            plan_id=plan.plan_id,
            path=plan.path,
            platform=plan.platform,
            account=plan.account,
            audience=plan.audience,
            target=plan.target,
            status=plan_records.status(self.state, plan.plan_id),
            rows=total,
            accepted=counts.get("accepted", 0),
            failed=counts.get("failed", 0),
            dead=counts.get("dead", 0),
            dropped=counts.get("dropped", 0),
            compensated=counts.get("compensated", 0),
            in_flight=counts.get("in_flight", 0),
            calls=caller.calls if caller else 0,
            seconds=seconds,
            problem=problem,
        )

    def _plan(self, plan: Plan, destination: Destination, patience: Patience) -> Applied:
        started, problem, done = monotonic(), "", 0
        caller = self._caller(plan, destination, patience)
        file = self.home.data / plan.file
        impossible: set[tuple[str, str, str]] = set()
        self._follow_jobs(caller, file)
        for call in calls(file, destination.batch_size):
            kind = (call.operation, call.target, call.channel)
            if plan_records.status(self.state, plan.plan_id) != "ready":
                problem = "A newer plan took its place."
                break
            if kind in impossible:
                continue
            try:
                caller.send(call)
            except StopRun as error:
                if error.failure.status in (401, 403, 429):  # the whole account, also for the rest of the day
                    raise
                # Anything else may concern this one list or channel: the others go on.
                impossible.add(kind)
                problem = str(error)
            except GateClosed as error:
                problem = str(error)  # additions are last in the file, so that nothing else waits behind them
                break
            done += len(call.rows)
            self.progress(plan.plan_id, done, plan.adds + plan.updates + plan.removes + plan.suppressions)
        return self.told(plan, caller, seconds=monotonic() - started, problem=problem)

    def _follow_jobs(self, caller: Caller, file: Path) -> None:
        """Follow the vendor jobs that an interrupted run left behind."""
        carried: dict[str, list[str]] = {}
        for row_id, job_id in caller.book.in_flight().items():
            if job_id:
                carried.setdefault(job_id, []).append(row_id)
        for job_id, row_ids in carried.items():
            for call in grouped(some(file, row_ids)):
                caller.follow(call, job_id)

    def _finish_older(self, destination: Destination, patience: Patience) -> None:
        """Find out how rows of superseded plans ended; their newer plans decide what happens next.

        What was sent and is forbidden by now is taken back here; what has no known end keeps its pending membership,
        which every newer plan either adds again or removes.
        """
        account = destination.account
        for plan in plan_records.superseded_in_flight(self.state, account.platform, account.name):
            caller, file = self._caller(plan, destination, patience), self.home.data / plan.file
            self._follow_jobs(caller, file)
            unknown = [row_id for row_id, job_id in caller.book.in_flight().items() if not job_id]
            try:
                for call in grouped(some(file, unknown)):
                    caller.give_up(call)
            except GateClosed:
                _log.warning("Rows of an older plan stay open until the gate answers.")

    def _caller(self, plan: Plan, destination: Destination, patience: Patience) -> Caller:
        book = Book(self.state, plan.plan_id, self.clock)
        return Caller(destination, self.gate, book, plan.build_id, patience)

    @contextmanager
    def _guarded(self, platform: str, account: str) -> Iterator[None]:
        try:
            yield
        except AudiencesError as error:
            self._stopped[platform, account] = str(error)
        except Exception as error:
            _log.exception("Applying to %s (%s) broke; the rest of its rows wait for the next run.", platform, account)
            self._stopped[platform, account] = f"{type(error).__name__}; the log says where."

    @contextmanager
    def _alone(self, platform: str, account: str) -> Iterator[None]:
        name = "".join(c if c.isalnum() else "_" for c in f"{platform}-{account}")
        lock = FileLock(self.state.folder / f"apply-{name}.lock")
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise AudiencesError(f"Another run is applying to {platform} ({account}): wait for its end.") from None
        try:
            yield
        finally:
            lock.release()


def _silent(plan_id: str, done: int, rows: int) -> None:
    """Report nothing."""
