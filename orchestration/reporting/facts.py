"""Everything that a report says, read from the figures of the run, the published copy and the state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

import duckdb
from filelock import FileLock, Timeout
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from dlt_sources.errors import AudiencesError
from orchestration import building, stations
from orchestration.activation import catalogue as catalogues
from orchestration.activation.catalogue import Catalogue
from orchestration.activation.funnel import Funnel, accepted_people
from orchestration.activation.ledger import reading
from orchestration.activation.publish import WAREHOUSE
from orchestration.activation.state import State, builds, ledger
from orchestration.building import Built
from orchestration.home import Home
from orchestration.inputs import registries, reviews
from orchestration.reporting import coverage, exposures, latency, why_not
from orchestration.reporting.deliveries import DeadLetter, Delivery, dead_letters, deliveries
from orchestration.reporting.runs import Run
from orchestration.reporting.verdict import Verdict, judge

_Found = TypeVar("_Found")


@dataclass(slots=True)
class Report:
    """Everything that the page says; what could not be read is empty, and named in `unread`."""

    run: Run | None
    now: datetime
    built: Built | None = None
    catalogue: Catalogue = field(default_factory=lambda: Catalogue(0, ()))
    stations: list[stations.Station] = field(default_factory=list)
    funnels: list[Funnel] = field(default_factory=list)
    reasons: dict[str, list[why_not.Reason]] = field(default_factory=dict)
    consent: list[coverage.ConsentCoverage] = field(default_factory=list)
    ages: list[coverage.AgeCoverage] = field(default_factory=list)
    exposures: list[exposures.Exposure] = field(default_factory=list)
    sources: list[coverage.Source] = field(default_factory=list)
    registries: list[registries.Standing] = field(default_factory=list)
    undecided: list[reviews.Waiting] = field(default_factory=list)
    latencies: list[latency.Latency] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    unresolved: int = 0
    published_here: bool = False
    verdict: Verdict | None = None
    unread: list[str] = field(default_factory=list)


def collect(home: Home, run: Run | None, *, under_way: bool = False) -> Report:
    """Read the figures of a run, the published copy and the state; a part that cannot be read is left out and named."""
    report = Report(run=run, now=datetime.now(UTC), stations=stations.read(home))
    report.built = _read(report, "the figures of the newest build", lambda: building.read(home), missing_is_well=True)
    report.catalogue = _read(report, "the catalogue", lambda: catalogues.read(home)) or report.catalogue
    report.funnels = list(report.built.funnels) if report.built else []
    state = _read(report, "the state", lambda: State.of(home))
    if state is not None:
        with closing(state):
            _read(report, "the destinations", lambda: _from_state(report, state))
            _read(report, "what waits for a person", lambda: report.undecided.extend(reviews.waiting(home, state)))
    if (home.published / WAREHOUSE).exists():
        _read(report, "the published copy", lambda: _from_copy(report, home))
    report.verdict = judge(
        run,
        report.built,
        published_here=report.published_here,
        under_way=under_way,
        stations=report.stations,
        deliveries=report.deliveries,
        dead=report.dead,
        sources=report.sources,
        registries=report.registries,
        undecided=report.undecided,
        changes=report.built.changes if report.built else None,
    )
    return report


def under_way(home: Home) -> bool:
    """True while some run has the build's turn."""
    if not (home.data / "build.lock").exists():
        return False
    lock = FileLock(home.data / "build.lock")
    with suppress(Timeout):
        lock.acquire(timeout=0)
        lock.release()
        return False
    return True


def _read(report: Report, what: str, read: Callable[[], _Found], *, missing_is_well: bool = False) -> _Found | None:
    """What `read` gives; when it cannot, the report is written without it and says so."""
    try:
        return read()
    except (AudiencesError, duckdb.Error, SQLAlchemyError, ValueError, KeyError, OSError) as error:
        if not (missing_is_well and isinstance(error, AudiencesError)):
            report.unread.append(f"{what} ({type(error).__name__})")
        return None


def _from_state(report: Report, state: State) -> None:
    accepted = accepted_people(state)
    report.funnels = [replace(funnel, accepted=accepted.get(funnel.audience, 0)) for funnel in report.funnels]
    planned = report.built.plans if report.built else []
    report.deliveries = deliveries(state, planned)
    report.dead = dead_letters(state, planned)
    report.latencies = latency.latencies(state, report.now)
    with reading(state.ledger) as connection:
        unresolved = select(func.count()).select_from(ledger).where(ledger.c.unresolved)
        report.unresolved = int(connection.execute(unresolved).scalar() or 0)
        if report.built and report.run:
            begun = select(builds.c.started_at).where(builds.c.build_id == report.built.build_id)
            started_at = connection.execute(begun).scalar()
            report.published_here = started_at is not None and started_at >= report.run.started_at


def _from_copy(report: Report, home: Home) -> None:
    with duckdb.connect(str(home.published / WAREHOUSE), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        report.sources = coverage.sources(connection, report.now)
        report.registries = registries.standing(home, connection, report.now)
        report.consent = coverage.consent_coverage(connection)
        report.ages = coverage.age_coverage(connection)
        report.exposures = exposures.exposures(connection)
        report.reasons = why_not.why_not(connection, report.catalogue, report.funnels)
