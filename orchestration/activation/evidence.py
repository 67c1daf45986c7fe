"""What stands behind a decision: reason codes with their meaning, evidence rows by their ids, and acts by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
from sqlalchemy import select

from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import chunks, reading
from orchestration.activation.state import State, builds, ledger, ledger_keys, lifts
from orchestration.home import Home
from orchestration.warehouse import has_table

#: What each kind of evidence row says, without the values that would identify or date a person.
_ROWS = {
    "consent_events": (
        "consent_event_id",
        "'statement'",
        "concat_ws(' ', state, 'on', channel, CASE WHEN method IS NOT NULL THEN '(' || method || ')' END)",
        "effective_hi",
    ),
    "suppressions": ("suppression_id", "'suppression'", "kind", "effective_at"),
    "age_evidence": (
        "age_evidence_id",
        "'age evidence'",
        "concat_ws(' ', kind, 'of level', level, CASE WHEN provider IS NOT NULL THEN 'by ' || provider END)",
        "verified_at",
    ),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code with what it means and what can be done."""

    code: str
    meaning: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One row that a decision rests on: what it says, when that was, and which platform said it."""

    id: str
    kind: str
    what: str
    at: datetime | None
    platform: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """What people of ours did about the subject: blocked or lifted, with who and why; `known` once a build has it."""

    act: str
    channel: str
    topic: str
    actor: str
    reason: str
    at: datetime
    known: bool


def reasons_of(connection: duckdb.DuckDBPyConnection, codes: Sequence[str]) -> list[Reason]:
    """The codes in their order; a code that the vocabulary does not know keeps an empty meaning."""
    rows = connection.execute(
        "SELECT code, meaning, next_step FROM seeds.reason_codes WHERE list_contains($1::VARCHAR[], code)",
        [list(codes)],
    ).fetchall()
    known = {code: Reason(code, meaning, next_step) for code, meaning, next_step in rows}
    return [known.get(code, Reason(code, "", "")) for code in codes]


def meanings(home: Home, codes: Sequence[str]) -> dict[str, str]:
    """Code → what it means, out of the published copy; empty before the first build."""
    path = home.published_warehouse
    if not codes or not path.exists():
        return {}
    with duckdb.connect(str(path), read_only=True) as connection:
        return {reason.code: reason.meaning for reason in reasons_of(connection, codes)}


def rows_behind(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[Evidence]:
    """The evidence rows with these ids, newest first."""
    found = []
    for table, (key, kind, what, at) in _ROWS.items():
        if not ids or not has_table(connection, "intermediate", table):
            continue
        rows = connection.execute(
            f"SELECT DISTINCT {key}, {kind}, {what}, {at}, platform, account FROM intermediate.{table} "
            f"WHERE list_contains($1::VARCHAR[], {key})",
            [list(ids)],
        ).fetchall()
        found += [
            Evidence(id=row[0], kind=row[1], what=row[2], at=row[3], platform=row[4], account=row[5]) for row in rows
        ]
    return sorted(found, key=lambda one: (one.at is None, one.at and -one.at.timestamp(), one.id))


def by_hand(state: State, keys: Sequence[str], build_id: int) -> list[ByHand]:
    """Blocks and lifts by hand on any of the keys."""
    found: dict[str, ByHand] = {}
    with reading(state.ledger) as connection:
        published = connection.execute(select(builds.c.started_at).where(builds.c.build_id == build_id)).scalar()
        for part in chunks([keyed_hash(state.key, key) for key in keys]):
            blocks = select(ledger).join(ledger_keys).where(ledger_keys.c.key_hash.in_(part))
            for row in connection.execute(blocks.where(ledger.c.actor != "")):
                known = row.absorbed_build is not None and row.absorbed_build <= build_id
                about = {name: getattr(row, name) for name in ("channel", "topic", "actor", "reason")}
                found[row.ledger_id] = ByHand(act="blocked", at=row.occurred_at, known=known, **about)
            for row in connection.execute(select(lifts).where(lifts.c.key_hash.in_(part))):
                known = published is not None and row.lifted_at < published
                about = {name: getattr(row, name) for name in ("channel", "topic", "actor", "reason")}
                found[row.lift_id] = ByHand(act="lifted", at=row.lifted_at, known=known, **about)
    return sorted(found.values(), key=lambda one: one.at)
