"""Who may be contacted now and could not in the last good build, with why; and the breaker for too many at once.

A load that lets many people in at once is more often a fault than good news: a partial page that left withdrawals
out, a column that came back null. Beyond the policies `mass_flip_share` and `mass_flip_people` additions wait until
somebody approves the build; people seen for the first time and people with a new grant of their own are counted apart.
Until the approval, later builds are compared with the same former one, since waiting makes no fault true.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from orchestration.activation import approvals, comparison
from orchestration.activation.catalogue import Audience
from orchestration.activation.comparison import APART, CAUSES, Base
from orchestration.activation.publish import WAREHOUSE
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.warehouse import Build

_log = logging.getLogger(__name__)
_NOBODY = (
    "SELECT $build AS build_id, '' AS person_id, '' AS identifier_type, '' AS identifier, '' AS question_id, "
    "[]::VARCHAR[] AS former_reason_codes, '' AS cause LIMIT 0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewlyEligible:
    """What a comparison came to, in people.

    `people` had decisions in the build compared with, `base_build_id` (None: there is none to compare with); `flipped`
    became eligible and count towards the limits; `held_because` is empty unless they are beyond them.
    """

    build_id: int
    base_build_id: int | None = None
    base_as_of: datetime | None = None
    people: int = 0
    flipped: int = 0
    by_cause: Mapping[str, int] = field(default_factory=dict)
    #: People who count towards the limits, by question.
    by_question: Mapping[str, int] = field(default_factory=dict)
    held_because: str = ""

    def holds(self, audiences: Sequence[Audience]) -> dict[str, tuple[str, ...]]:
        """The audiences that may gain nobody, with the reason: those whose question let somebody in."""
        if not self.held_because:
            return {}
        known = self.base_build_id is not None
        return {
            audience.name: (self.held_because,)
            for audience in audiences
            if not known or self.by_question.get(audience.question_id)
        }


def compare(home: Home, state: State, connection: duckdb.DuckDBPyConnection, build: Build) -> NewlyEligible:
    """Compare the open warehouse's decisions with those of the last good build, before its copy is replaced.

    Leaves `comparison.newly_eligible` (a row per person, identifier and question) in the warehouse. What cannot be
    compared is held: nobody knows whom such a build lets in.
    """
    approved = approvals.approved(state)
    if not (home.published / WAREHOUSE).exists():
        return _keep(connection, NewlyEligible(build_id=build.build_id), None)
    try:
        with _attached(home, connection):
            [(published,)] = connection.execute("SELECT max(build_id) FROM former.marts.clock").fetchall()
            if published == build.build_id:
                return _read(connection, build, approved)
            return _compare(connection, build, approved)
    except duckdb.Error as error:
        _log.warning("The former copy cannot be compared with: %s", type(error).__name__)
        why = f"the build before cannot be read ({type(error).__name__}), so nobody knows whom this one lets in anew"
        unknown = NewlyEligible(build_id=build.build_id, held_because=_reason(why, build.build_id))
        return _keep(connection, unknown, None)


def _compare(connection: duckdb.DuckDBPyConnection, build: Build, approved: frozenset[str]) -> NewlyEligible:
    last = _summary(connection, "former.")
    waits = last is not None and last.held_because and approvals.build_key(last.build_id) not in approved
    if last is not None and waits and last.base_build_id is None:
        unknown = NewlyEligible(build_id=build.build_id, held_because=_renamed(last.held_because, last, build))
        return _keep(connection, unknown, None)
    base = comparison.kept_base(connection) if waits else comparison.published_base(connection)
    comparison.judge(connection, build, base)
    found = _counted(connection, build, base)
    return _keep(connection, found, base if found.held_because else None)


def _counted(connection: duckdb.DuckDBPyConnection, build: Build, base: Base) -> NewlyEligible:
    by_cause, by_question, flipped = comparison.counts(connection)
    [(people,)] = connection.execute("SELECT count(DISTINCT person_id) FROM comparison_base").fetchall()
    share, most, least = comparison.limits(connection)
    held = ""
    if flipped >= least and (flipped > most or flipped > share * people):
        told = _words(by_cause, [cause for cause in CAUSES if cause not in APART])
        apart = _words(by_cause, APART)
        why = (
            f"{flipped:,} people who were kept out in build {base.build_id} may be contacted now, "
            f"{flipped / people:.2%} of {people:,} (limits {most:,} and {share:.2%}): {told}"
        )
        held = _reason(why + (f"; counted apart: {apart}" if apart else ""), build.build_id)
    return NewlyEligible(
        build_id=build.build_id,
        base_build_id=base.build_id,
        base_as_of=base.as_of,
        people=people,
        flipped=flipped,
        by_cause=by_cause,
        by_question=by_question,
        held_because=held,
    )


def _read(connection: duckdb.DuckDBPyConnection, build: Build, approved: frozenset[str]) -> NewlyEligible:
    """What was found when this very build was compared; an approval since then lets go."""
    found = _summary(connection, "")
    if found is None or found.build_id != build.build_id:
        return NewlyEligible(build_id=build.build_id)
    by_cause, by_question, _ = comparison.counts(connection, "comparison.newly_eligible")
    lets_go = approvals.build_key(build.build_id) in approved
    return NewlyEligible(
        build_id=found.build_id,
        base_build_id=found.base_build_id,
        base_as_of=found.base_as_of,
        people=found.people,
        flipped=found.flipped,
        by_cause=by_cause,
        by_question=by_question,
        held_because="" if lets_go else found.held_because,
    )


def _summary(connection: duckdb.DuckDBPyConnection, database: str) -> NewlyEligible | None:
    """The last comparison of a warehouse, without its counts by cause; None where none was made."""
    where = "former" if database else "current_database()"
    known = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'comparison' AND table_name = 'summary' AND database_name = "
        + (f"'{where}'" if database else where)
    ).fetchone()
    if known is None:
        return None
    names = ("build_id", "base_build_id", "base_as_of", "people", "flipped", "held_because")
    row = connection.execute(f"SELECT {', '.join(names)} FROM {database}comparison.summary").fetchone()
    return NewlyEligible(**dict(zip(names, row, strict=True))) if row else None


def _keep(connection: duckdb.DuckDBPyConnection, found: NewlyEligible, base: Base | None) -> NewlyEligible:
    """Write the comparison into the warehouse; where it is held, with what it was compared with, for the next build."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS comparison")
    connection.execute(
        "CREATE OR REPLACE TABLE comparison.summary (build_id BIGINT, base_build_id BIGINT, base_as_of TIMESTAMPTZ, "
        "base_known_at TIMESTAMPTZ, people BIGINT, flipped BIGINT, held_because VARCHAR)"
    )
    values = [found.build_id, found.base_build_id, found.base_as_of, base.known_at if base else None, found.people]
    connection.execute(
        "INSERT INTO comparison.summary VALUES (?, ?, ?, ?, ?, ?, ?)", [*values, found.flipped, found.held_because]
    )
    rows = f"SELECT $build AS build_id, * FROM {comparison.FOUND}" if found.base_build_id is not None else _NOBODY
    connection.execute(f"CREATE OR REPLACE TABLE comparison.newly_eligible AS {rows}", {"build": found.build_id})
    for name in ("decisions", "records"):
        connection.execute(f"DROP TABLE IF EXISTS comparison.base_{name}")
    if base is not None:
        connection.execute("CREATE TABLE comparison.base_decisions AS FROM comparison_base")
        connection.execute("CREATE TABLE comparison.base_records AS FROM comparison_base_records")
    return found


def _words(by_cause: Mapping[str, int], wanted: Sequence[str]) -> str:
    return ", ".join(f"{by_cause[cause]:,} {CAUSES[cause]}" for cause in wanted if cause in by_cause)


def _reason(why: str, build_id: int) -> str:
    return f"{approvals.MASS_FLIP}{why}; when this is right: {approvals.approve_build_command(build_id)}"


def _renamed(reason: str, last: NewlyEligible, build: Build) -> str:
    return reason.replace(approvals.build_key(last.build_id), approvals.build_key(build.build_id))


@contextmanager
def _attached(home: Home, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    name = str(home.published / WAREHOUSE).replace("'", "''")
    connection.execute(f"ATTACH '{name}' AS former (READ_ONLY)")
    try:
        yield
    finally:
        connection.execute("DETACH former")
