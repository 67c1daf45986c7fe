"""`why` as of another time: the person's own raw rows, decided by production's models in a warehouse of their own.

Valid time (`as_of`) is what the question is about, system time (`known_at`) what had reached us by then. Nothing that
is decided so is kept, and neither the warehouse nor its published copy is written to.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
from filelock import FileLock

from dlt_sources import registry
from dlt_sources.errors import AudiencesError
from orchestration import warehouse
from orchestration.activation.answer import Answer
from orchestration.activation.asked import Asked, people_of, question
from orchestration.activation.state import State
from orchestration.activation.why import explained
from orchestration.home import Home
from orchestration.parsing import dbt_command, environment
from orchestration.proving import lineage
from orchestration.warehouse import published

#: Beside what decisions need: whose records and keys are whose.
_MODELS = ("+decisions", "+destination_records", "+person_suppression_keys")
_PROGRESS = re.compile(r"(\d+) of (\d+) (?:OK|ERROR|SKIP)")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Past:
    """An answer of the past with the open scratch warehouse's findings: how many raw rows it took, and how long."""

    answer: Answer
    rows: int
    seconds: float


def why_then(
    home: Home,
    subject: str,
    audience: str | None = None,
    *,
    as_of: datetime | None,
    known_at: datetime | None,
    show: bool = False,
    tell: Tell = lambda text: None,
    then: Callable[[duckdb.DuckDBPyConnection, Answer], None] = lambda connection, answer: None,
) -> Past:
    """Explain a person as of a time; a time that is left out is the last build's.

    `tell` hears about progress; `then` may read the scratch warehouse before it goes. Raises AudiencesError as `why`
    does, and when the models do not build.
    """
    started = time.monotonic()
    asked = question(home, subject, audience)
    with published(home) as connection:
        clock = connection.execute("SELECT build_id, as_of, known_at FROM marts.clock").fetchone()
    if clock is None:
        raise AudiencesError("The published build has no clock: run `audiences run` first.")
    build_id, as_of, known_at = clock[0], as_of or clock[1], known_at or clock[2]
    with tempfile.TemporaryDirectory(prefix="audiences-why-") as folder:
        scratch = Home(Path(folder))
        scratch.data.mkdir(parents=True)
        with duckdb.connect(str(scratch.warehouse)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            tell("reading the raw rows that lead to this person")
            warehouse.ensure_raw(connection, registry.all_platforms(), [])
            copied = lineage.copy(connection, home.published_warehouse, asked, known_at)
            _set_clock(connection, build_id, as_of, known_at)
            records = [row[0] for row in connection.execute("FROM subject_records ORDER BY ALL").fetchall()]
        _build(home, scratch, tell)
        with duckdb.connect(str(scratch.warehouse), read_only=True) as connection, closing(State.of(home)) as state:
            connection.execute("SET TimeZone = 'UTC'")
            people = _then_people(connection, asked, records)
            answer = explained(home, connection, state, asked, show=show, past=True, people=people)
            answer = replace(answer, notes=_notes(answer, copied, known_at))
            then(connection, answer)
    return Past(answer, copied.rows, time.monotonic() - started)


def _set_clock(connection: duckdb.DuckDBPyConnection, build_id: int, as_of: datetime, known_at: datetime) -> None:
    connection.execute("DELETE FROM raw_audiences.builds")
    connection.execute(
        "INSERT INTO raw_audiences.builds (build_id, as_of, known_at, started_at) VALUES (?, ?, ?, ?)",
        [build_id, as_of, known_at, known_at],
    )


def _build(home: Home, scratch: Home, tell: Tell) -> None:
    """Run the models that decide; one run at a time shares what dbt remembers of the parsed project."""
    kept = home.data / "why"
    kept.mkdir(parents=True, exist_ok=True)
    command = [part for part in dbt_command("run", "--select", *_MODELS, "--no-write-json") if part != "--quiet"]
    # dbt parses the whole project again when a variable of its environment changes: the file goes by one name.
    paths = environment(scratch) | {
        "AUDIENCES_WAREHOUSE": scratch.warehouse.name,
        "DBT_TARGET_PATH": str(kept / "target"),
        "DBT_LOG_PATH": str(kept / "logs"),
    }
    tell("waiting for another question about the past" if _is_taken(kept) else "reading the models")
    with (
        FileLock(kept / "lock"),
        subprocess.Popen(
            command,
            env={**os.environ, **paths},
            cwd=scratch.data,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as built,
    ):
        for line in built.stdout or ():
            if progress := _PROGRESS.search(line):
                tell(f"deciding: {progress[1]} of {progress[2]} models")
    if built.returncode:
        # dbt's own words may quote a value of the person.
        raise AudiencesError(f"The models did not build as of that time: {kept / 'logs' / 'dbt.log'} says where.")


def _is_taken(folder: Path) -> bool:
    lock = FileLock(folder / "lock")
    try:
        with lock.acquire(timeout=0):
            return False
    except TimeoutError:
        return True


def _then_people(connection: duckdb.DuckDBPyConnection, asked: Asked, records: list[str]) -> dict[str, list[str]]:
    """Who the subject was then: by identifier as ever, by the records of a person id of today."""
    if asked.key:
        return people_of(connection, asked)
    rows = connection.execute(
        "SELECT person_id, suppression_keys FROM marts.person_suppression_keys WHERE person_id IN "
        "(SELECT person_id FROM intermediate.person_records WHERE record_key IN (SELECT unnest($1::VARCHAR[])))",
        [records],
    ).fetchall()
    return dict(rows)


def _notes(answer: Answer, copied: lineage.Copied, known_at: datetime) -> list[str]:
    notes = [
        "The rules are those of the last build; what was pushed at that time went by the rules of its own build.",
        *copied.notes,
    ]
    if copied.oldest is None or known_at < copied.oldest:
        since = f"the oldest row arrived {copied.oldest:%Y-%m-%d %H:%M} UTC" if copied.oldest else "it is empty"
        known = f"{known_at:%Y-%m-%d %H:%M} UTC"
        notes.insert(0, f"Raw holds nothing that had arrived by {known}: {since}. What was known then is not here.")
    if len(answer.people) > 1:
        notes.append(f"As known then, the subject was {len(answer.people)} people.")
    return notes
