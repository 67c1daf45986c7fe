"""What somebody was sent, and the decision that led to it: kept for good in the state folder, which backups hold.

Builds replace one another's decisions, and plan files go after a while. An identifier stands here as its keyed hash;
what was written to a destination does not stand here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
from sqlalchemy import Row

from orchestration.activation.catalogue import Catalogue
from orchestration.activation.plan_records import Plan
from orchestration.home import Home

#: A pushed row with what came back, as `sent` tells it, and whose it was.
PUSHED = (
    "plan_id", "row_id", "op", "audience", "platform", "account", "target", "record_id", "person_id", "reason",
    "build_id", "decided_as_of", "state", "code", "detail", "at", "approved_by",
)  # fmt: skip
_COLUMNS = ", ".join(f'"{name}"' for name in PUSHED)


class Decided(NamedTuple):
    """What a build decided for one audience about one identifier of a person."""

    build_id: int
    audience: str
    person_id: str
    eligible: bool
    reason_codes: list[str]
    evidence_ids: list[str]
    rule_version: str


def keep_decisions(home: Home, connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, plan_id: str) -> None:
    """Keep the decisions about everybody whom the plan in `plan_rows` adds, updates or removes."""
    query = """
        SELECT $build AS build_id, asked.audience, decisions.person_id,
            keyed_hash(decisions.identifier_type || ':' || decisions.identifier) AS identifier_hash,
            decisions.eligible, decisions.reason_codes, decisions.evidence_ids, decisions.rule_version,
            decisions.decided_as_of, decisions.known_at
        FROM marts.decisions AS decisions
        JOIN (SELECT unnest($audiences) AS audience, unnest($questions) AS question_id) AS asked
            ON decisions.question_id = asked.question_id
        SEMI JOIN (FROM plan_rows WHERE op <> 'suppress') AS planned
            ON asked.audience = planned.audience AND decisions.person_id = planned.person_id
    """
    values = {
        "build": catalogue.build_id,
        "audiences": [one.name for one in catalogue.audiences],
        "questions": [one.question_id for one in catalogue.audiences],
    }
    _write(connection, query, values, _file(home.data, "decisions", catalogue.build_id, plan_id))


def decisions(data: Path, builds: Collection[int], people: Collection[str]) -> list[Decided]:
    """What these builds decided about these people, for the audiences that something was planned for."""
    files = [path for build in builds for path in _files(data, "decisions", f"{build}-")]
    query = f"SELECT DISTINCT {', '.join(Decided._fields)} FROM read_parquet($files) WHERE person_id IN (FROM people) "
    rows = _read(files, f"{query} ORDER BY eligible DESC, audience, person_id, evidence_ids", people) if files else []
    return [Decided(*row) for row in rows]


def keep_pushed(data: Path, plan: Plan, decided_as_of: datetime | None, outcomes: Iterable[Sequence[Row[Any]]]) -> None:
    """Keep what was pushed of a plan whose file and outcomes go; `outcomes` comes in parts."""
    with duckdb.connect() as connection:
        connection.execute(
            'CREATE TABLE outcomes (row_id VARCHAR, state VARCHAR, code VARCHAR, detail VARCHAR, "at" TIMESTAMPTZ)'
        )
        for part in outcomes:
            columns = zip(*((one.row_id, one.state, one.code, one.detail, one.changed_at) for one in part), strict=True)
            given = pa.table(dict(zip(("row_id", "state", "code", "detail", "at"), map(list, columns), strict=True)))
            connection.register("given", given)
            connection.execute("INSERT INTO outcomes SELECT * FROM given")
            connection.unregister("given")
        if connection.execute("SELECT 1 FROM outcomes LIMIT 1").fetchone() is None:
            return
        named = {"plan_id": plan.plan_id, "build_id": plan.build_id, "approved_by": plan.approved_by}
        query = f"""
            WITH pushed AS (
                SELECT planned.* EXCLUDE (build_id), outcomes.* EXCLUDE (row_id), $plan_id AS plan_id,
                    $build_id::BIGINT AS build_id, $decided_as_of::TIMESTAMPTZ AS decided_as_of,
                    $approved_by AS approved_by
                FROM read_parquet($planned) AS planned JOIN outcomes USING (row_id)
            )
            SELECT {_COLUMNS} FROM pushed
        """
        values = {**named, "decided_as_of": decided_as_of, "planned": str(data / plan.file)}
        _write(connection, query, values, _file(data, "pushed", plan.build_id, plan.plan_id))


def pushed(data: Path, condition: str, values: dict[str, object]) -> list[dict[str, Any]]:
    """The kept rows that meet a condition over PUSHED."""
    files = _files(data, "pushed", "")
    if not files:
        return []
    with duckdb.connect() as connection:
        cursor = connection.execute(
            f"SELECT {_COLUMNS} FROM read_parquet($files) WHERE {condition}", {"files": files, **values}
        )
        return [dict(zip(PUSHED, row, strict=True)) for row in cursor.fetchall()]


def all_files(home: Home) -> Iterator[Path]:
    """Every kept file, for backups."""
    yield from sorted((home.state / "kept").glob("*/*.parquet"))


def _read(files: Sequence[str], query: str, people: Collection[str]) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TEMP TABLE people AS SELECT unnest($people::VARCHAR[])", {"people": list(people)})
        return connection.execute(query, {"files": files}).fetchall()


def _file(data: Path, kind: str, build_id: int, plan_id: str) -> Path:
    return data / "state" / "kept" / kind / f"{build_id}-{plan_id[:12]}.parquet"


def _files(data: Path, kind: str, start: str) -> list[str]:
    return [str(path) for path in sorted((data / "state" / "kept" / kind).glob(f"{start}*.parquet"))]


def _write(connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".writing")
    connection.execute(f"COPY ({query}) TO $file (FORMAT parquet, COMPRESSION zstd)", {**values, "file": str(draft)})
    draft.replace(file)
