"""The end of a build: check the audiences, plan, publish, and keep the figures that people and later ops read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pydantic import TypeAdapter
from sqlalchemy import func, select

from dlt_sources import registry
from dlt_sources.errors import AudiencesError
from expectations.validation import CheckResult
from orchestration import dbt_results, parsing, people, quality, warehouse
from orchestration.activation import accepted, baseline, catalogue, guards, newly_eligible
from orchestration.activation.catalogue import Place
from orchestration.activation.changes import Change, changes
from orchestration.activation.destinations import Destinations
from orchestration.activation.funnel import Funnel, accepted_people, funnels
from orchestration.activation.ledger import reading
from orchestration.activation.newly_eligible import NewlyEligible
from orchestration.activation.plan import PlanSummary, plan
from orchestration.activation.pruning import prune
from orchestration.activation.publish import is_published, publish
from orchestration.activation.state import State, builds
from orchestration.activation.twins import collect
from orchestration.home import Home
from orchestration.quality import Verdict

_FIGURES = "figures.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One build in figures: what was checked, planned and set aside."""

    build_id: int
    as_of: datetime
    problems: list[str]
    plans: list[PlanSummary]
    funnels: list[Funnel]
    #: Rows of (platform, object, field, reason, values).
    quarantine: list[tuple[str, str, str, str, int]]
    checks: list[CheckResult]
    absorbed: int = 0
    #: What reading back came to, in words, where places owed a baseline.
    baselines: list[str] = field(default_factory=list)
    #: People added and removed since the build before; None when there was none to compare with.
    changes: list[Change] | None = None
    #: Who may be contacted now and could not in the last good build.
    newly_eligible: NewlyEligible | None = None

    @property
    def quarantined(self) -> int:
        """Values that did not fit and were set aside."""
        return sum(row[-1] for row in self.quarantine)

    def plan(self, audience: str, place: Place) -> PlanSummary | None:
        """The plan of changes of an audience at one place."""
        wanted = (audience, place.platform, place.account, place.target)
        found = (one for one in self.plans if (one.audience, one.platform, one.account, one.target) == wanted)
        return next(found, None)

    def verdict(self, audience: str) -> Verdict:
        """What Great Expectations said of an audience."""
        return Verdict([result for result in self.checks if result.subject == audience])


_adapter = TypeAdapter(Built)


def finish(home: Home, state: State, *, publishing: bool = True) -> Built:
    """Check, plan and publish the build whose decisions the warehouse holds.

    Places that owe a baseline are read back first. Without `publishing` it is only planned anew, and a build that has
    not been published leaves no plan behind: whoever may leave its audiences at once is not known yet.

    Raises AudiencesError when the newest build made no decisions.
    """
    owed = baseline.due(state)
    found = baseline.read_back(owed, Destinations.load(home.folder).open) if owed else []
    with warehouse.opened(home) as connection:
        build = warehouse.decided_build(connection)
        if build is None:
            raise AudiencesError("The warehouse holds no decisions yet: run a build first.")
        accounts, platforms = registry.configured(), registry.all_platforms()
        current, problems = collect(
            home.dbt / "target" / "manifest.json",
            build_id=build.build_id,
            platforms=platforms,
            accounts=accounts,
            former=catalogue.read(home),
            with_members=accepted.audiences_with_members(state),
            set_aside=[(fault.segment, fault.file, fault.message) for fault in parsing.set_aside(home)],
        )
        taken = baseline.take(connection, state, found, build.build_id)
        checks = quality.check_audiences(connection, current)
        findings = guards.findings(
            connection,
            build,
            current.audiences,
            platforms=platforms,
            accounts=accounts,
            failed_tests=dbt_results.failed_tests(home),
            failed_models=dbt_results.failed_models(home),
        )
        newly = newly_eligible.compare(home, state, connection, build)
        findings = findings.beside(newly.holds(current.audiences))
        only_shown = not publishing and not is_published(state, build.build_id)
        plans = plan(
            home, state, connection, current, findings, platforms=platforms, accounts=accounts, dry_run=only_shown
        )
        quarantine = connection.execute(
            "SELECT platform, object, field, reason, count(*) FROM marts.quarantine GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        moved = changes(home, connection, build.build_id, [audience.name for audience in current.audiences])
        built = Built(
            build_id=build.build_id,
            as_of=build.as_of,
            problems=[*(str(problem) for problem in problems), *dbt_results.problems(home)],
            plans=plans,
            funnels=funnels(connection, state, current),
            quarantine=quarantine,
            checks=checks,
            baselines=[str(one) for one in taken],
            changes=_former_changes(home, build.build_id) if moved is None else moved,
            newly_eligible=newly,
            absorbed=publish(home, state, connection, current).absorbed if publishing else 0,
        )
        if publishing:
            people.keep(home, connection, build.build_id)
    if publishing:
        catalogue.replace_file(home.published / _FIGURES, _adapter.dump_json(built))
        prune(home, state, datetime.now(UTC))
    return built


def read(home: Home) -> Built:
    """The figures of the newest published build; AudiencesError before the first one."""
    path = home.published / _FIGURES
    if not path.exists():
        raise AudiencesError("Nothing has been built yet: run `audiences run` first.")
    return _adapter.validate_json(path.read_bytes())


def made_whole(home: Home) -> bool:
    """True when the newest build that began was published and had no problem: its staging holds all that was landed."""
    try:
        built = read(home)
    except AudiencesError:
        return False
    state = State.of(home)
    try:
        with reading(state.ledger) as connection:
            newest = connection.execute(select(func.max(builds.c.build_id))).scalar()
    finally:
        state.close()
    return newest == built.build_id and not built.problems


def current_funnels(home: Home) -> list[Funnel]:
    """The funnels of the newest build with the members that destinations hold now."""
    state = State.of(home)
    try:
        accepted_now = accepted_people(state)
    finally:
        state.close()
    return [replace(funnel, accepted=accepted_now.get(funnel.audience, 0)) for funnel in read(home).funnels]


def _former_changes(home: Home, build_id: int) -> list[Change] | None:
    """What was found when this very build was finished before: it is planned anew against its own copy."""
    try:
        former = read(home)
    except (AudiencesError, ValueError):
        return None
    return former.changes if former.build_id == build_id else None


def counts(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    """Reasons with their counts, most frequent first."""
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
