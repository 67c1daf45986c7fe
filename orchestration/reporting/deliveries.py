"""Where each audience lives: what was planned, what came of it, what the destination holds, and what was given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from orchestration.activation.ledger import reading
from orchestration.activation.plan import CHANGES, PlanSummary
from orchestration.activation.state import State, memberships, outbox, outcomes, plans


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One plan of the newest build: rows planned, rows by how they ended, members before and now."""

    plan_id: str
    account: str
    target: str
    audience: str
    status: str
    adds: int
    updates: int
    removes: int
    withdrawals: int
    accepted: int
    failed: int
    dead: int
    dropped: int
    before: int
    holds: int
    unreachable: int
    by_hand: int
    held_because: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Rows or calls that were given up, by place and code."""

    place: str
    what: str
    code: str
    rows: int


def deliveries(state: State, planned: Sequence[PlanSummary]) -> list[Delivery]:
    """The plans of a build with what became of them, places of audiences first."""
    ids = [one.plan_id for one in planned if one.plan_id]
    held_now = (
        select(memberships.c.audience, memberships.c.platform, memberships.c.account, memberships.c.target)
        .add_columns(func.count())
        .where(memberships.c.status == "accepted")
        .group_by(memberships.c.audience, memberships.c.platform, memberships.c.account, memberships.c.target)
    )
    ended = (
        select(outcomes.c.plan_id, outcomes.c.state, func.count())
        .where(outcomes.c.plan_id.in_(ids))
        .group_by(outcomes.c.plan_id, outcomes.c.state)
    )
    with reading(state.deliveries) as connection:
        members = {tuple(row[:4]): int(row[4]) for row in connection.execute(held_now)}
        counts = {(row[0], row[1]): int(row[2]) for row in connection.execute(ended)}
        statuses = {
            row.plan_id: row.status
            for row in connection.execute(select(plans.c.plan_id, plans.c.status).where(plans.c.plan_id.in_(ids)))
        }
    return [
        Delivery(
            plan_id=one.plan_id,
            account=f"{one.platform}:{one.account}",
            target=one.target,
            audience=one.audience,
            status=statuses.get(one.plan_id, one.status),
            adds=one.adds,
            updates=one.updates,
            removes=one.removes,
            withdrawals=one.suppressions,
            accepted=counts.get((one.plan_id, "accepted"), 0),
            failed=sum(counts.get((one.plan_id, ended), 0) for ended in ("failed", "in_flight")),
            dead=counts.get((one.plan_id, "dead"), 0),
            dropped=sum(counts.get((one.plan_id, ended), 0) for ended in ("dropped", "compensated")),
            before=one.members,
            holds=members.get((one.audience, one.platform, one.account, one.target), 0),
            unreachable=one.unreachable,
            by_hand=one.by_hand,
            held_because=one.held_because,
        )
        for one in sorted(planned, key=lambda one: (one.path != CHANGES, one.audience, one.platform, one.target))
    ]


def dead_letters(state: State, planned: Sequence[PlanSummary]) -> list[DeadLetter]:
    """Rows of these plans, and calls of the speed lane, that were given up."""
    places = {one.plan_id: f"{one.platform}:{one.account} {one.target}".strip() for one in planned if one.plan_id}
    dead = (
        select(outcomes.c.plan_id, outcomes.c.code, func.count())
        .where(outcomes.c.plan_id.in_(list(places)), outcomes.c.state == "dead")
        .group_by(outcomes.c.plan_id, outcomes.c.code)
    )
    given_up = (
        select(outbox.c.platform, outbox.c.account, outbox.c.operation, func.count())
        .where(outbox.c.state == "dead")
        .group_by(outbox.c.platform, outbox.c.account, outbox.c.operation)
    )
    with reading(state.deliveries) as connection:
        rows = [
            DeadLetter(place=places[row[0]], what="planned row", code=row[1] or "none", rows=row[2])
            for row in connection.execute(dead)
        ]
        calls = [
            DeadLetter(place=f"{row[0]}:{row[1]}", what=f"{row[2]} after a webhook", code="given up", rows=row[3])
            for row in connection.execute(given_up)
        ]
    return [*rows, *calls]
