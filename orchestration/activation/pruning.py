"""What is let go of after a while: files and rows of plans that ended long ago, and calls that were made long ago.

Suppressions, memberships, withdrawals, approvals and the plans' own rows (what was planned, when, and who approved it)
are kept for good, and so is what was pushed, with its answer and the decision that led to it (`kept`).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select

from orchestration.activation import kept
from orchestration.activation.ledger import one_of, reading
from orchestration.activation.plan_records import Plan
from orchestration.activation.state import State, builds, outbox, outcomes, plans
from orchestration.home import Home

KEPT = timedelta(days=90)
#: Rows removed in one transaction: the speed lane waits for the same file.
_ROWS = 2_000
_ENDED = ("done", "lifted", "mended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was let go of."""

    files: int = 0
    outcomes: int = 0
    calls: int = 0


def prune(home: Home, state: State, now: datetime) -> Pruned:
    """Let go of what ended more than KEPT ago; a row whose end is not known is kept, with its plan's file."""
    before = now - KEPT
    files = rows = 0
    for plan in _ended_plans(state, before):
        path = home.data / plan.file
        if path.exists():
            _keep(home, state, plan)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            files += 1
        with contextlib.suppress(OSError):  # others of that build are still there
            path.parent.rmdir()
        rows += _outcomes(state, plan.plan_id)
    return Pruned(files=files, outcomes=rows, calls=_calls(state, before))


def _ended_plans(state: State, before: datetime) -> list[Plan]:
    """Plans that ended before, whose outcomes are still there or that never had any."""
    open_rows = select(outcomes.c.plan_id).where(outcomes.c.state == "in_flight")
    ended = (plans.c.status.in_(("applied", "superseded")), plans.c.created_at < before, plans.c.file != "")
    finished = or_(plans.c.finished_at.is_(None), plans.c.finished_at < before)
    query = select(plans).where(*ended, finished, plans.c.plan_id.not_in(open_rows))
    with reading(state.deliveries) as connection:
        return list(connection.execute(query))


def _keep(home: Home, state: State, plan: Plan) -> None:
    """Keep what was pushed of a plan, before its file goes."""
    with reading(state.ledger) as connection:
        as_of = connection.execute(select(builds.c.as_of).where(builds.c.build_id == plan.build_id)).scalar()
    with reading(state.deliveries) as connection:
        sent = connection.execution_options(yield_per=_ROWS).execute(
            select(outcomes).where(outcomes.c.plan_id == plan.plan_id)
        )
        kept.keep_pushed(home.data, plan, as_of, sent.partitions())


def _outcomes(state: State, plan_id: str) -> int:
    """Remove a plan's outcomes, and note on the plan that its file is gone."""
    removed = 0
    some = select(outcomes.c.row_id).where(outcomes.c.plan_id == plan_id).limit(_ROWS)
    while True:
        with state.write_deliveries() as connection:
            part: list[str] = list(connection.execute(some).scalars())
            if not part:
                connection.execute(plans.update().where(plans.c.plan_id == plan_id).values(file=""))
                return removed
            here = (outcomes.c.plan_id == plan_id, one_of(connection, outcomes.c.row_id, part))
            removed += connection.execute(delete(outcomes).where(*here)).rowcount


def _calls(state: State, before: datetime) -> int:
    removed = 0
    old = (outbox.c.state.in_(_ENDED), outbox.c.created_at < before)
    finished = or_(outbox.c.done_at.is_(None), outbox.c.done_at < before)
    some = select(outbox.c.outbox_id).where(*old, finished).limit(_ROWS)
    while True:
        with state.write_deliveries() as connection:
            part: list[str] = list(connection.execute(some).scalars())
            if not part:
                return removed
            removed += connection.execute(delete(outbox).where(one_of(connection, outbox.c.outbox_id, part))).rowcount
