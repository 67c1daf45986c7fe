"""How an installation stands: what waits, what is held, and what a person has to do; reads, and changes nothing.

Everything comes from the state stores, the landing zone and the published copy, so that it can be asked beside a
running build and without any platform.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
from sqlalchemy import func, select

from dlt_sources.accounts import Account
from dlt_sources.platform import Platform
from orchestration.activation import approvals, baseline, needs
from orchestration.activation.guards import Source, sources
from orchestration.activation.ledger import reading
from orchestration.activation.next_change import NextChange, next_change
from orchestration.activation.state import State, builds, ledger, outbox, outcomes, plans
from orchestration.home import Home
from orchestration.inputs import registries, reviews
from orchestration.landing import silence
from orchestration.landing.files import Landing

#: The worker's sensor pauses a few seconds between its evaluations.
_ALIVE_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBuild:
    """The newest build whose decisions were published; `later` counts builds begun since that made none."""

    build_id: int
    decided_at: datetime
    age_seconds: float
    later: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAge:
    """When a source last answered, as the published build knows."""

    source: str
    age_seconds: float | None
    schedule_seconds: float
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Landing files that wait at a stage of a lane."""

    lane: str
    stage: str
    files: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPlan:
    """A plan that waits for a person, with the command that approves it."""

    plan_id: str
    account: str
    audience: str
    target: str
    adds: int
    updates: int
    removes: int
    because: Sequence[str]
    approve: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """Calls of the speed lane at one account: never tried, tried before, given up."""

    account: str
    due: int
    retrying: int
    dead: int
    most_attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All of it; `needs` says in words what a person has to do, most urgent first."""

    at: datetime
    build: LastBuild | None
    next_change: NextChange | None
    speed_lane_alive: bool
    sources: Sequence[SourceAge]
    queues: Sequence[Queue]
    owed: Sequence[Owed]
    unresolved: int
    held: Sequence[HeldPlan]
    dead_rows: dict[str, int]
    quarantined: int | None
    never_approved: Sequence[str]
    baselines_due: Sequence[str]
    silent_feeds: Sequence[str]
    registries: Sequence[registries.Standing]
    undecided: int
    needs: Sequence[str]


def standing(home: Home, state: State, platforms: Sequence[Platform], accounts: Sequence[Account]) -> Standing:
    """Look at everything once."""
    now = datetime.now(UTC)
    build, alive, coming = _build(state, now), _alive(state), next_change(home)
    ages, quarantined, guarded, undecided = _published(home, state, platforms, accounts, now)
    queues = [
        Queue(lane=one.lane, stage=one.stage, files=one.files, oldest_seconds=round(one.oldest_seconds, 1))
        for one in Landing(home.landing).counts()
        if one.files and one.stage != "loaded"
    ]
    owed, (unresolved, unresolved_since) = _owed(state), _unresolved(state)
    held, dead = _held(state), _dead_rows(state)
    never = approvals.never_approved(state, platforms, accounts)
    due = [f"{one.target} at {one.platform}:{one.account}" for one in baseline.due(state)]
    silent = [
        f"{one.platform}:{one.account} is {one.verdict(now)}"
        for one in silence.feeds(home.landing, accounts, now)
        if one.silent
    ]
    wanted = [
        *needs.of_lane(queues, alive=alive),
        *needs.of_calls(owed),
        *needs.of_unresolved(unresolved, unresolved_since, now),
        *needs.of_build(build),
        *needs.of_clock(coming, now),
        *(f"The webhook feed of {text}" for text in silent),
        *(f"The source {one.source} is stale: nobody is added until it answers." for one in ages if one.stale),
        *(f"The registry {text}" for text in registries.wanting(guarded)),
        *needs.of_reviews(undecided),
        *(f"{count} rows were given up at {account}: see the report of the last run." for account, count in dead),
        *(f"A plan for {one.target} at {one.account} is held: {one.approve}" for one in held),
        *(f"The members of {place} are read back before the next plan: audiences run" for place in due),
    ]
    return Standing(
        at=now,
        build=build,
        next_change=coming,
        speed_lane_alive=alive,
        sources=ages,
        queues=queues,
        owed=owed,
        unresolved=unresolved,
        held=held,
        dead_rows=dict(dead),
        quarantined=quarantined,
        never_approved=never,
        baselines_due=due,
        silent_feeds=silent,
        registries=guarded,
        undecided=len(undecided),
        needs=wanted,
    )


def _build(state: State, now: datetime) -> LastBuild | None:
    with reading(state.ledger) as connection:
        decided = select(builds).where(builds.c.decided_at.is_not(None)).order_by(builds.c.build_id.desc())
        newest = connection.execute(decided.limit(1)).first()
        if newest is None:
            return None
        later = select(func.count()).select_from(builds).where(builds.c.build_id > newest.build_id)
        return LastBuild(
            build_id=newest.build_id,
            decided_at=newest.decided_at,
            age_seconds=round((now - newest.decided_at).total_seconds(), 1),
            later=connection.execute(later).scalar() or 0,
        )


def _alive(state: State) -> bool:
    try:
        return time.time() - state.beat.stat().st_mtime < _ALIVE_SECONDS
    except FileNotFoundError:
        return False


def _published(
    home: Home, state: State, platforms: Sequence[Platform], accounts: Sequence[Account], now: datetime
) -> tuple[list[SourceAge], int | None, list[registries.Standing], list[reviews.Waiting]]:
    """Sources, quarantine, registries, what waits for a person; none and unknown before a build that published them."""
    path = home.published_warehouse
    if not path.exists():
        return [], None, [], []
    guarded: list[registries.Standing] = []
    undecided: list[reviews.Waiting] = []
    known: list[Source] = []
    count: tuple[int, ...] | None = None
    with duckdb.connect(str(path), read_only=True) as connection, contextlib.suppress(duckdb.CatalogException):
        connection.execute("SET TimeZone = 'UTC'")
        known = sources(connection, platforms, accounts)
        count = connection.execute("SELECT count(*) FROM marts.quarantine").fetchone()
        guarded = registries.standing(home, connection, now)
        undecided = reviews.waiting_in(connection, state)
    ages = [
        SourceAge(
            source=f"{one.account} {one.object}",
            age_seconds=round((now - one.contacted_at).total_seconds(), 1) if one.contacted_at else None,
            schedule_seconds=one.schedule.total_seconds(),
            stale=one.stale(now),
        )
        for one in known
    ]
    return ages, count[0] if count else None, guarded, undecided


def _owed(state: State) -> list[Owed]:
    columns = (outbox.c.platform, outbox.c.account, outbox.c.state, outbox.c.attempts)
    query = select(*columns, func.count().label("calls")).where(outbox.c.state.in_(("due", "dead"))).group_by(*columns)
    found: dict[str, list[int]] = {}
    with reading(state.deliveries) as connection:
        for row in connection.execute(query):
            figures = found.setdefault(f"{row.platform}:{row.account}", [0, 0, 0, 0])
            figures[2 if row.state == "dead" else int(row.attempts > 0)] += row.calls
            if row.state == "due":
                figures[3] = max(figures[3], row.attempts)
    return [
        Owed(account=key, due=due, retrying=retrying, dead=dead, most_attempts=attempts)
        for key, (due, retrying, dead, attempts) in sorted(found.items())
    ]


def _unresolved(state: State) -> tuple[int, datetime | None]:
    waiting = (ledger.c.unresolved, ledger.c.absorbed_build.is_(None))
    with reading(state.ledger) as connection:
        query = select(func.count(), func.min(ledger.c.recorded_at)).where(*waiting)
        row = connection.execute(query).one()
        return row[0], row[1]


def _held(state: State) -> list[HeldPlan]:
    query = select(plans).where(plans.c.status == "held").order_by(plans.c.platform, plans.c.account, plans.c.audience)
    with reading(state.deliveries) as connection:
        return [
            HeldPlan(
                plan_id=row.plan_id,
                account=f"{row.platform}:{row.account}",
                audience=row.audience,
                target=row.target,
                adds=row.adds,
                updates=row.updates,
                removes=row.removes,
                because=tuple(row.held_because.splitlines()),
                approve=approvals.command(f"{row.platform}:{row.account}", row.plan_id, row.held_because),
            )
            for row in connection.execute(query)
        ]


def _dead_rows(state: State) -> list[tuple[str, int]]:
    """Rows that the newest plans of each account gave up; what a later plan has sent anew counts no more."""
    newest = (
        select(plans.c.platform, plans.c.account, func.max(plans.c.build_id).label("build_id"))
        .group_by(plans.c.platform, plans.c.account)
        .subquery()
    )
    here = (plans.c.platform == newest.c.platform) & (plans.c.account == newest.c.account)
    query = (
        select(plans.c.platform, plans.c.account, func.count().label("dead"))
        .join(newest, here & (plans.c.build_id == newest.c.build_id))
        .join(outcomes, outcomes.c.plan_id == plans.c.plan_id)
        .where(outcomes.c.state == "dead")
        .group_by(plans.c.platform, plans.c.account)
    )
    with reading(state.deliveries) as connection:
        return [(f"{row.platform}:{row.account}", row.dead) for row in connection.execute(query)]
