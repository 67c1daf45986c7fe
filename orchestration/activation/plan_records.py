"""The plans on record: what a plan comes to in figures, which one holds for a target, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, func, insert, select, update

from dlt_sources.errors import AudiencesError
from orchestration.activation.ledger import reading
from orchestration.activation.state import State, builds, outcomes, plans

REMOVALS, CHANGES = "removals", "changes"
_OPEN = ("ready", "held")
_ADVICE = {
    "held": "Approve exactly this plan, or mend what holds it and plan anew.",
    "superseded": "A newer one took its place: plan anew.",
    "unknown": "Plan anew and use an id from that list.",
}
#: A row of the table `plans`.
Plan = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary:
    """One plan in figures. status: ready | held | applied | nothing (no row differs) | skipped (see `held_because`).

    `members` were accepted at the target before, `admitted` are the audience's rows of this build, `unreachable` its
    people without a record there; `by_hand` members must go from a destination that offers no removal, so a person has
    to see to it; `reasons` counts rows by (op, reason).
    """

    plan_id: str = ""
    build_id: int
    path: str
    platform: str
    account: str
    audience: str = ""
    target: str = ""
    status: str
    adds: int = 0
    updates: int = 0
    removes: int = 0
    suppressions: int = 0
    members: int = 0
    admitted: int = 0
    unreachable: int = 0
    by_hand: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    held_because: tuple[str, ...] = ()
    file: str = ""


def keep(state: State, summary: PlanSummary) -> PlanSummary:
    """Put a plan on record in place of older ones for its target.

    The same plan made again keeps what became of it, an approval included.
    """
    supersede(state, summary)
    with state.write_deliveries() as connection:
        former = connection.execute(select(plans).where(plans.c.plan_id == summary.plan_id)).first()
        if former is not None:
            status = summary.status
            if former.status == "applied":
                status = "applied"
            elif former.approved_by and status == "held":
                status = "ready"
            changed = {"status": status, "held_because": "\n".join(summary.held_because)}
            connection.execute(update(plans).where(plans.c.plan_id == summary.plan_id).values(**changed))
            return replace(summary, status=status)
        names = set(PlanSummary.__slots__) & set(plans.c.keys())
        values = {name: getattr(summary, name) for name in names}
        values |= {"held_because": "\n".join(summary.held_because), "created_at": datetime.now(UTC)}
        connection.execute(insert(plans).values(values))
    return summary


def supersede(state: State, summary: PlanSummary) -> None:
    """Let go of every other open plan for the same target."""
    same = [plans.c[name] == getattr(summary, name) for name in ("path", "platform", "account", "audience", "target")]
    with state.write_deliveries() as connection:
        others = and_(*same, plans.c.status.in_(_OPEN), plans.c.plan_id != summary.plan_id)
        connection.execute(update(plans).where(others).values(status="superseded"))


def supersede_older(state: State, build_id: int) -> None:
    """Let go of every open plan of earlier builds: they know less than this build's decisions."""
    with state.write_deliveries() as connection:
        older = and_(plans.c.build_id < build_id, plans.c.status.in_(_OPEN))
        connection.execute(update(plans).where(older).values(status="superseded"))


def supersede_changes(state: State) -> None:
    """Let go of every open plan of changes: nobody can vouch for the members, or the opt-outs, that they rest on."""
    with state.write_deliveries() as connection:
        changes = and_(plans.c.path == CHANGES, plans.c.status.in_(_OPEN))
        connection.execute(update(plans).where(changes).values(status="superseded"))


def let_go(state: State) -> None:
    """Let go of every open plan and of every row in flight: their files are not here."""
    with state.write_deliveries() as connection:
        connection.execute(update(plans).where(plans.c.status.in_(_OPEN)).values(status="superseded"))
        lost = update(outcomes).where(outcomes.c.state == "in_flight")
        connection.execute(lost.values(state="failed", code="restored", job_id=""))


def chosen(state: State, plan_ids: Collection[str] | None) -> list[Plan]:
    """The plans to apply; plans of changes from before the newest decided build are superseded first."""
    with reading(state.ledger) as ledger:
        newest = ledger.execute(select(func.max(builds.c.build_id)).where(builds.c.decided_at.is_not(None))).scalar()
    stale = and_(plans.c.status.in_(("ready", "held")), plans.c.path != REMOVALS, plans.c.build_id < (newest or 0))
    with state.write_deliveries() as connection:
        connection.execute(update(plans).where(stale).values(status="superseded"))
    query = select(plans).order_by(plans.c.platform, plans.c.account, plans.c.audience, plans.c.target)
    with reading(state.deliveries) as connection:
        if plan_ids is None:
            return list(connection.execute(query.where(plans.c.status == "ready")))
        found = {row.plan_id: row for row in connection.execute(query.where(plans.c.plan_id.in_(list(plan_ids))))}
    for plan_id in plan_ids:
        status = found[plan_id].status if plan_id in found else "unknown"
        if status not in ("ready", "applied"):
            raise AudiencesError(f"Plan {plan_id[:12]} cannot be applied: it is {status}. {_ADVICE[status]}")
    return list(found.values())


def superseded_in_flight(state: State, platform: str = "", account: str = "") -> list[Plan]:
    """Superseded plans with rows in flight, of one account or of all."""
    open_rows = select(outcomes.c.plan_id).where(outcomes.c.state == "in_flight")
    query = select(plans).where(plans.c.status == "superseded", plans.c.plan_id.in_(open_rows))
    if platform:
        query = query.where(plans.c.platform == platform, plans.c.account == account)
    with reading(state.deliveries) as connection:
        return list(connection.execute(query))


def status(state: State, plan_id: str) -> str:
    """A plan's status now."""
    with reading(state.deliveries) as connection:
        return str(connection.execute(select(plans.c.status).where(plans.c.plan_id == plan_id)).scalar())


def close(state: State, plan_id: str, now: datetime) -> None:
    """Mark a plan as applied: every row of it has its end."""
    mine = and_(plans.c.plan_id == plan_id, plans.c.status == "ready")
    with state.write_deliveries() as connection:
        connection.execute(update(plans).where(mine).values(status="applied", finished_at=now))
