"""Guards: what holds a plan of changes until a person approves exactly that plan. Removals have no guards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
from sqlalchemy import select, update

from dlt_sources.accounts import Account
from dlt_sources.errors import AudiencesError
from dlt_sources.platform import Platform
from orchestration.activation.catalogue import Audience
from orchestration.activation.state import State, plans
from orchestration.warehouse import Build, has_table

if TYPE_CHECKING:
    from orchestration.activation.desired import Desired

#: Share of the accepted members that one plan may remove, and from how many members on the share is asked about.
REMOVED_SHARE, FROM_MEMBERS = 0.3, 20
_STALE_AFTER_SCHEDULES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What checks, tests and sources say about a build: reasons that hold one audience, and reasons that hold all."""

    of_all: tuple[str, ...] = ()
    of_audience: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def about(self, audience: str) -> tuple[str, ...]:
        """Every reason that holds this audience."""
        return (*self.of_all, *self.of_audience.get(audience, ()))

    def beside(self, of_audience: Mapping[str, tuple[str, ...]]) -> Findings:
        """These findings and further reasons that hold single audiences, which are told first."""
        names = {**self.of_audience, **of_audience}
        told = {name: (*of_audience.get(name, ()), *self.of_audience.get(name, ())) for name in names}
        return replace(self, of_audience=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One object of an account: when it last answered, and how often it is asked."""

    account: str
    object: str
    contacted_at: datetime | None
    schedule: timedelta

    def stale(self, now: datetime) -> bool:
        """True when it has never answered, or not for two of its schedules."""
        return self.contacted_at is None or now - self.contacted_at > _STALE_AFTER_SCHEDULES * self.schedule

    @property
    def told(self) -> str:
        """What a stale source is told as."""
        if self.contacted_at is None:
            return f"{self.account} {self.object} has never answered"
        return f"{self.account} {self.object} has not answered since {self.contacted_at:%Y-%m-%d %H:%M} UTC"


def findings(
    connection: duckdb.DuckDBPyConnection,
    build: Build,
    audiences: Sequence[Audience],
    *,
    platforms: Sequence[Platform],
    accounts: Sequence[Account],
    failed_tests: Sequence[str] = (),
    failed_models: Sequence[str] = (),
    require_checks: bool = True,
) -> Findings:
    """Read what this build's checks and sources said; with `require_checks` an unchecked audience is held."""
    of_all = [f"stale_source: {source}" for source in _stale(connection, platforms, accounts)]
    of_all += [f"model_failed: {name}" for name in failed_models if not _belongs(name, audiences)]
    of_audience: dict[str, list[str]] = {audience.name: [] for audience in audiences}
    failed, checked = _checks(connection, build)
    for boundary, subject, check in failed:
        reason = f"check_failed: {subject} {check}"
        if boundary == "audience":
            of_audience.setdefault(subject, []).append(reason)
        elif not (boundary == "model" and _add(of_audience, subject, f"test_failed: {subject}")):
            of_all.append(reason)
    for test in failed_tests:
        if not _add(of_audience, test, f"test_failed: {test}"):
            of_all.append(f"test_failed: {test}")
    for name in of_audience if require_checks else ():
        if name not in checked:
            of_audience[name].append("checks_missing")
    return Findings(
        of_all=tuple(dict.fromkeys(of_all)),
        of_audience={name: tuple(dict.fromkeys(reasons)) for name, reasons in of_audience.items()},
    )


def holds(audience: Audience, desired: Desired, *, members: int, removes: int) -> list[str]:
    """Reasons to hold one plan of changes: `members` are those accepted there now."""
    reasons = list(audience.held_because)
    if desired.nulls:
        reasons.append(f"null_keys: {desired.nulls} admitted rows have no person or identifier")
    if desired.duplicates:
        reasons.append(f"duplicate_keys: {desired.duplicates} admitted rows repeat a person and identifier")
    if members and not desired.admitted and not audience.retired:
        reasons.append(f"empty_audience: nobody is admitted, {members} are members")
    limit = audience.limits.get("removed_share", REMOVED_SHARE)
    if members >= FROM_MEMBERS and removes > limit * members:
        share = removes / members
        reasons.append(f"removed_share: {removes} of {members} members would leave ({share:.0%}, limit {limit:.0%})")
    return reasons


def approve(state: State, plan_id: str, actor: str, reason: str) -> None:
    """Release exactly this held plan; a plan that has changed since has another id and stays held."""
    with state.write_deliveries() as connection:
        status = connection.execute(select(plans.c.status).where(plans.c.plan_id == plan_id)).scalar()
        if status != "held":
            known = f"it is {status}" if status else "there is no such plan"
            raise AudiencesError(f"Plan {plan_id[:12]} cannot be approved: {known}. Plan anew and look at it again.")
        approved_by = f"{actor}: {reason}"[:120]
        connection.execute(
            update(plans).where(plans.c.plan_id == plan_id).values(status="ready", approved_by=approved_by)
        )


def sources(
    connection: duckdb.DuckDBPyConnection, platforms: Iterable[Platform], accounts: Iterable[Account]
) -> list[Source]:
    """Every object of every configured account, with its newest contact that a build has recorded."""
    contacts = {
        (platform, account, name): contacted_at
        for platform, account, name, contacted_at in connection.execute(
            "SELECT platform, account, object, max(contacted_at) FROM raw_audiences.contacts GROUP BY ALL"
        ).fetchall()
    }
    by_name = {platform.name: platform for platform in platforms}
    return [
        Source(
            account=account.key,
            object=obj.name,
            contacted_at=contacts.get((account.platform, account.name, obj.name)),
            schedule=obj.schedule,
        )
        for account in accounts
        for obj in (by_name[account.platform].objects if account.platform in by_name else ())
    ]


def _stale(
    connection: duckdb.DuckDBPyConnection, platforms: Iterable[Platform], accounts: Iterable[Account]
) -> list[str]:
    """Sources of configured accounts that have not answered for two of their schedules, or never."""
    now = datetime.now(UTC)
    return [one.told for one in sources(connection, platforms, accounts) if one.stale(now)]


def _checks(connection: duckdb.DuckDBPyConnection, build: Build) -> tuple[list[tuple[str, str, str]], set[str]]:
    """Failed checks that count for this build as (boundary, subject, check), and the audiences that were checked.

    A raw table counts with its newest verdict: a build from webhooks alone judges no pull, and what failed before it
    has not become better.
    """
    if not has_table(connection, "quality", "check_results"):
        return [], set()
    rows = connection.execute(
        """
        SELECT boundary, subject, check_name, success FROM quality.check_results
        WHERE build_id <= ?
        QUALIFY build_id = CASE boundary WHEN 'raw' THEN max(build_id) OVER (PARTITION BY boundary, subject) ELSE ? END
        ORDER BY ALL
        """,
        [build.build_id, build.build_id],
    ).fetchall()
    failed = [(boundary, subject, check) for boundary, subject, check, success in rows if not success]
    return failed, {subject for boundary, subject, _, _ in rows if boundary == "audience"}


def _belongs(name: str, audiences: Sequence[Audience]) -> bool:
    return any(audience.name == name for audience in audiences)


def _add(of_audience: dict[str, list[str]], test: str, reason: str) -> bool:
    """Blame the audiences that a test's name contains; a test that names none concerns all."""
    named = [name for name in of_audience if name in test]
    for name in named:
        of_audience[name].append(reason)
    return bool(named)
