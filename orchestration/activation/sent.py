"""What was sent about a person and what destinations answered: members, rows of plans, calls of the speed lane.

All from the state, the plan files and what is kept of them for good, so a rebuilt warehouse forgets none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import and_, or_, select

from orchestration.activation import kept
from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import chunks, reading
from orchestration.activation.state import State, builds, ledger_keys, memberships, outbox, outcomes, plans

#: A record of a platform: platform, account, record id.
Record = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One record of the person at one target, as the destination accepted it (or may have: pending)."""

    platform: str
    account: str
    target: str
    record_id: str
    status: str
    reason: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One row of a plan that was sent: what the build of `decided_as_of` held to be right, and what came back.

    `write_id` names it; state: in_flight | accepted | failed | dead | dropped (by the gate) | compensated. What led to
    it is empty for withdrawals, and for what was planned before it was kept.
    """

    write_id: str
    op: str
    audience: str
    platform: str
    account: str
    target: str
    reason: str
    build_id: int
    decided_as_of: datetime | None
    state: str
    code: str
    detail: str
    at: datetime
    approved_by: str
    reason_codes: Sequence[str] = ()
    evidence_ids: Sequence[str] = ()
    rule_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that the speed lane owed for an opt-out: state due | done | dead | mended | lifted."""

    call_id: str
    operation: str
    reason: str
    platform: str
    account: str
    channel: str
    target: str
    state: str
    attempts: int
    detail: str
    created_at: datetime
    done_at: datetime | None


def members(state: State, person_id: str, records: Sequence[Record]) -> dict[str, list[Membership]]:
    """Audience → memberships of the person, found by person or, after a merge, by record."""
    known = memberships.c.person_id == person_id
    for platform, account, record_id in records:
        known = or_(
            known,
            (memberships.c.platform == platform)
            & (memberships.c.account == account)
            & (memberships.c.record_id == record_id),
        )
    found: dict[str, list[Membership]] = {}
    with reading(state.deliveries) as connection:
        query = select(memberships).where(known).order_by(memberships.c.platform, memberships.c.target)
        for row in connection.execute(query):
            values = {name: getattr(row, name) for name in Membership.__slots__}
            found.setdefault(row.audience, []).append(Membership(**values))
    return found


def pushes(data: Path, state: State, person_id: str, records: Sequence[Record]) -> list[Push]:
    """Every planned row about the person that has an outcome, newest first; `data` holds the plan files."""
    condition = (
        "person_id = $person OR list_contains($records::VARCHAR[], concat_ws(chr(31), platform, account, record_id))"
    )
    values = {"person": person_id, "records": [chr(31).join(record) for record in records]}
    return _pushes(data, state, condition, values)


def push(data: Path, state: State, write_id: str) -> tuple[Push, str, Record | None] | None:
    """One row by its write id, with its person and record; None when nothing by that id was ever sent."""
    rows = _pushed(data, state, "row_id = $row", {"row": write_id.rpartition(":")[2]})
    for row, made in zip(rows, _with_decisions(data, rows), strict=True):
        if ":" not in write_id or made.write_id == write_id:
            record = (row["platform"], row["account"], row["record_id"]) if row["record_id"] else None
            return made, row["person_id"], record
    return None


def calls(state: State, keys: Sequence[str]) -> list[Call]:
    """Every call owed for an opt-out on any of the suppression keys, oldest first."""
    found: dict[str, Call] = {}
    ledger_ids: set[str] = set()
    with reading(state.ledger) as connection:
        for part in chunks([keyed_hash(state.key, key) for key in keys]):
            query = select(ledger_keys.c.ledger_id).where(ledger_keys.c.key_hash.in_(part))
            ledger_ids.update(connection.execute(query).scalars())
    with reading(state.deliveries) as connection:
        for part in chunks(sorted(ledger_ids)):
            for row in connection.execute(select(outbox).where(outbox.c.ledger_id.in_(part))):
                values = {name: getattr(row, name) for name in Call.__slots__ if name != "call_id"}
                found[row.outbox_id] = Call(call_id=row.outbox_id, **values)
    return sorted(found.values(), key=lambda one: (one.created_at, one.call_id))


def _pushes(data: Path, state: State, condition: str, values: Mapping[str, object]) -> list[Push]:
    made = _with_decisions(data, _pushed(data, state, condition, values))
    return sorted(made, key=lambda one: (one.at, one.write_id), reverse=True)


def _pushed(data: Path, state: State, condition: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
    """Rows that were sent: those of plans that are still there, and those that are kept of older ones."""
    there = _with_outcomes(state, _rows(data, state, condition, values))
    known = {(row["plan_id"], row["row_id"]) for row in there}
    older = kept.pushed(data, condition, dict(values))
    return [*there, *(row for row in older if (row["plan_id"], row["row_id"]) not in known)]


def _rows(data: Path, state: State, condition: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
    """Rows of the plan files that are still there, with the plan they belong to."""
    with reading(state.deliveries) as connection:
        query = select(plans.c.plan_id, plans.c.file).where(plans.c.file != "")
        files = {str(data / row.file): row.plan_id for row in connection.execute(query)}
    present = [file for file in files if Path(file).exists()]
    if not present:
        return []
    columns = ["row_id", "op", "audience", "platform", "account", "target", "record_id", "person_id", "reason"]
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT filename, {', '.join(columns)} FROM read_parquet($files, filename = true) WHERE {condition}",
            {"files": present, **values},
        ).fetchall()
    return [{"plan_id": files[row[0]], **dict(zip(columns, row[1:], strict=True))} for row in rows]


def _with_outcomes(state: State, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that were really on their way; a held or superseded plan left none."""
    with reading(state.ledger) as connection:
        as_of = {row.build_id: row.as_of for row in connection.execute(select(builds.c.build_id, builds.c.as_of))}
    made = []
    with reading(state.deliveries) as connection:
        for row in rows:
            here = and_(outcomes.c.plan_id == row["plan_id"], outcomes.c.row_id == row["row_id"])
            joined = select(outcomes, plans.c.build_id, plans.c.approved_by).join(
                plans, plans.c.plan_id == row["plan_id"]
            )
            for outcome in connection.execute(joined.where(here)):
                told = {
                    "build_id": outcome.build_id, "decided_as_of": as_of.get(outcome.build_id),
                    "state": outcome.state, "code": outcome.code, "detail": outcome.detail,
                    "at": outcome.changed_at, "approved_by": outcome.approved_by,
                }  # fmt: skip
                made.append(row | told)
    return made


def _with_decisions(data: Path, rows: Sequence[Mapping[str, Any]]) -> list[Push]:
    """The rows as pushes, each with what its build decided; of several identifiers the eligible one."""
    known: dict[tuple[int, str, str], kept.Decided] = {}
    for one in kept.decisions(data, {row["build_id"] for row in rows}, {row["person_id"] for row in rows}):
        known.setdefault((one.build_id, one.audience, one.person_id), one)
    made = []
    for row in rows:
        led = known.get((row["build_id"], row["audience"], row["person_id"]))
        about = {name: row[name] for name in Push.__slots__ if name in row}
        if led is not None:
            about |= {name: getattr(led, name) for name in ("reason_codes", "evidence_ids", "rule_version")}
        made.append(Push(write_id=f"{row['plan_id'][:12]}:{row['row_id']}", **about))
    return made
