"""Plans: what would be sent to each destination, written as Parquet files that apply sends exactly.

One plan of removals per destination account (whoever must go, and withdrawals it does not hold yet), free of guards;
one plan of changes per audience and target, which guards can hold. A plan's id is the hash of its file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from dlt_sources.accounts import Account
from dlt_sources.errors import AudiencesError
from dlt_sources.platform import Platform
from orchestration.activation import approvals, baseline, difference, kept, members, plan_records
from orchestration.activation.catalogue import Audience, Catalogue, Place
from orchestration.activation.desired import Desired, desire, nobody
from orchestration.activation.guards import Findings, holds
from orchestration.activation.plan_records import CHANGES as CHANGES
from orchestration.activation.plan_records import REMOVALS as REMOVALS
from orchestration.activation.plan_records import PlanSummary as PlanSummary
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.warehouse import Build, decided_build


def plan(
    home: Home,
    state: State,
    connection: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    findings: Findings,
    *,
    platforms: Sequence[Platform],
    accounts: Sequence[Account],
    dry_run: bool = False,
) -> list[PlanSummary]:
    """Make every plan of the catalogue's build; a dry run leaves neither files nor rows behind.

    Raises AudiencesError when this build did not make its decisions: older ones must not be taken for them.
    """
    build = decided_build(connection)
    if build is None or build.build_id != catalogue.build_id:
        raise AudiencesError(
            f"Build {catalogue.build_id} made no decisions, so nothing is planned from it: "
            "see which dbt model failed, then build again."
        )
    members.load(connection, state, catalogue)
    owed = {one.place: one.because for one in baseline.due(state)}
    session = _Session(home, state, connection, build, catalogue, dry_run, approvals.approved(state), owed)
    if not dry_run:
        plan_records.supersede_older(state, build.build_id)
    classes = {platform.name: platform.destination_class() for platform in platforms}
    summaries = []
    for account in accounts:
        kind = classes.get(account.platform)
        if kind is None or not any(kind.offers(operation) for operation in ("add", "remove", "suppress")):
            continue
        difference.removals(connection, build, account.platform, account.name)
        by_hand = 0 if kind.offers("remove") else difference.set_aside_removals(connection)
        if kind.offers("suppress"):
            difference.suppressions(connection, build, account.platform, account.name, kind.channels)
        summaries.append(session.save(replace(_summary(build, REMOVALS, account), by_hand=by_hand), []))
    configured = {(account.platform, account.name): account for account in accounts}
    for audience, place, in_project in _pairs(connection, catalogue):
        owner = configured.get((place.platform, place.account))
        if owner is not None:
            kind = classes.get(owner.platform)
            removes = kind is None or kind.offers("remove")
            summaries.append(
                _plan_changes(session, audience, place, owner, findings, in_project=in_project, removes=removes)
            )
    return summaries


def _plan_changes(
    session: _Session,
    audience: Audience,
    place: Place,
    account: Account,
    findings: Findings,
    *,
    in_project: bool,
    removes: bool,
) -> PlanSummary:
    """Plan one audience at one place; a place that left the project only loses members.

    Where the destination never lets go of anybody (`removes` is False), removals are counted as work by hand.
    """
    connection, build = session.connection, session.build
    summary = replace(_summary(build, CHANGES, account), audience=audience.name, target=place.target)
    if in_project:
        desired = desire(connection, session.state, build, audience, place)
    else:
        desired = Desired()
        nobody(connection)
        audience = replace(audience, retired=True)
    count = connection.execute(
        "SELECT members FROM plan_places WHERE audience = ? AND platform = ? AND account = ? AND target = ?",
        [audience.name, place.platform, place.account, place.target],
    ).fetchone()
    summary = replace(
        summary, members=count[0] if count else 0, admitted=desired.admitted, unreachable=desired.unreachable
    )
    skipped = _not_plannable(audience, desired)
    if skipped:
        return session.skip(replace(summary, status="skipped", held_because=skipped))
    ineligible = difference.changes(connection, build, audience, place, account.brand)
    if not removes:
        summary = replace(summary, by_hand=difference.set_aside_removals(connection))
    leaving = connection.execute("SELECT count(*) FROM plan_rows WHERE op = 'remove'").fetchone()
    reasons = session.waits(audience, place)
    reasons += holds(audience, desired, members=summary.members, removes=leaving[0] if leaving else 0)
    if ineligible:
        reasons.append(f"not_eligible: {ineligible} admitted rows have no eligible decision and were left out")
    return session.save(summary, [*reasons, *(findings.about(audience.name) if in_project else ())])


def _not_plannable(audience: Audience, desired: Desired) -> tuple[str, ...]:
    """Why no change can be planned at all: then nobody is added, updated or, unless they must go, removed."""
    if not desired.built:
        return (*audience.held_because, "segment_failed: this build did not make the audience")
    if desired.missing_traits:
        return tuple(f"trait_missing: the segment returns no column {name!r}" for name in desired.missing_traits)
    return ()


def _pairs(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> Iterator[tuple[Audience, Place, bool]]:
    """Every audience and place of the project, then those that only members remember."""
    known = set()
    for audience in catalogue.audiences:
        for place in audience.destinations if not audience.retired else ():
            known.add((audience.name, place.platform, place.account, place.target))
            yield audience, place, True
    held = connection.execute(
        "SELECT audience, platform, account, target, channel, topic, brand FROM plan_places ORDER BY ALL"
    ).fetchall()
    for name, platform, account, target, channel, topic, brand in held:
        if (name, platform, account, target) not in known:
            former = catalogue.get(name) or Audience(
                name=name, channel=channel, purpose="", topic=topic, brand=brand, question_id="", retired=True
            )
            yield former, Place(platform=platform, account=account, target=target), False


def _summary(build: Build, path: str, account: Account) -> PlanSummary:
    return PlanSummary(
        build_id=build.build_id, path=path, platform=account.platform, account=account.name, status="ready"
    )


@dataclass(frozen=True, slots=True)
class _Session:
    """Where the plans of one build go."""

    home: Home
    state: State
    connection: duckdb.DuckDBPyConnection
    build: Build
    catalogue: Catalogue
    dry_run: bool
    #: Keys of the accounts that were approved; places that owe a baseline, and why.
    approved: frozenset[str]
    owed: Mapping[tuple[str, str, str, str], str]

    def waits(self, audience: Audience, place: Place) -> list[str]:
        """Why nothing may change at a place yet, whatever the plan says."""
        account, reasons = f"{place.platform}:{place.account}", []
        if account not in self.approved:
            reasons.append(approvals.why_held(account))
        if because := self.owed.get((audience.name, place.platform, place.account, place.target)):
            reasons.append(f"no_baseline: its members are still to be read back ({because})")
        return reasons

    def save(self, summary: PlanSummary, held_because: Sequence[str]) -> PlanSummary:
        """Turn `plan_rows` into a file and a row of state, in place of older plans for the same target."""
        counts = self.connection.execute(
            "SELECT op, reason, count(*) FROM plan_rows GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        by_op: dict[str, int] = {}
        for op, _, count in counts:
            by_op[op] = by_op.get(op, 0) + count
        status = "nothing" if not counts else "held" if held_because else "ready"
        summary = replace(
            summary,
            status=status,
            adds=by_op.get("add", 0),
            updates=by_op.get("update", 0),
            removes=by_op.get("remove", 0),
            suppressions=by_op.get("suppress", 0),
            reasons={f"{op} {reason}": count for op, reason, count in counts},
            held_because=tuple(dict.fromkeys(held_because)),
        )
        if self.dry_run:
            return summary
        if not counts:
            plan_records.supersede(self.state, summary)
            return summary
        file, plan_id = self._write(summary)
        # What a plan goes by is kept before anybody can apply it.
        kept.keep_decisions(self.home, self.connection, self.catalogue, plan_id)
        return plan_records.keep(
            self.state, replace(summary, plan_id=plan_id, file=str(file.relative_to(self.home.data)))
        )

    def skip(self, summary: PlanSummary) -> PlanSummary:
        """Plan nothing; what an earlier plan of this build said of the target no longer holds."""
        if not self.dry_run:
            plan_records.supersede(self.state, summary)
        return summary

    def _write(self, summary: PlanSummary) -> tuple[Path, str]:
        folder = self.home.plans / str(self.build.build_id)
        folder.mkdir(parents=True, exist_ok=True)
        parts = [summary.path, summary.platform, summary.account, summary.audience, summary.target]
        name = "-".join("".join(c if c.isalnum() else "_" for c in part) for part in parts if part)[:150]
        draft = folder / f"{name}.writing"
        plan_id = difference.write(self.connection, draft)
        return draft.replace(folder / f"{name}-{plan_id[:12]}.parquet"), plan_id
