"""Records that people join or part by hand: a row of state per act, of which the last about two records counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import duckdb
from sqlalchemy import ColumnElement, and_, insert, or_, select

from dlt_sources import registry
from dlt_sources.errors import ConfigurationError
from orchestration.activation.blocking import identified
from orchestration.activation.ledger import reading
from orchestration.activation.state import State, links
from orchestration.home import Home
from orchestration.inputs.reviews import load_table
from orchestration.warehouse import has_table, published

Verdict = Literal["merge", "unmerge"]
_SIDES = ("platform", "account", "record_id")
_TEXTS = ("link_id", "verdict", *(f"{side}_{name}" for side in ("left", "right") for name in _SIDES), "actor", "reason")


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a platform's account."""

    platform: str
    account: str
    record_id: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.account}:{self.record_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """What was said of two records, or had been before (`is_repeat`); `persons` are theirs in the published build."""

    verdict: Verdict
    left: str
    right: str
    persons: tuple[str, str]
    is_repeat: bool


def named(text: str) -> Record:
    """A record by its name; ConfigurationError when it is none of a configured account, or is a number or address."""
    platform, _, rest = text.partition(":")
    account, _, record_id = rest.partition(":")
    if not (platform and account and record_id):
        raise ConfigurationError(
            f"{text!r} is no record: write platform:account:record_id, as `audiences why` shows it."
        )
    registry.account(platform, account)
    if identified(record_id) is not None:
        raise ConfigurationError(
            f"{platform}:{account} has no records of its own, only numbers: those join by themselves. Name the records "
            "of other platforms that are to be joined or parted."
        )
    return Record(platform, account, record_id)


def say(home: Home, state: State, first: str, second: str, verdict: Verdict, *, actor: str, reason: str) -> Linked:
    """Keep that two records are one person's (merge) or are not (unmerge); counts with the next build.

    Of two that their keys join, an unmerge takes the second out (docs/identity.md). Raises ConfigurationError for
    records that no build has seen.
    """
    if not actor.strip() or not reason.strip():
        raise ConfigurationError("--actor and --reason must say who decides and why: both are kept.")
    left, right = named(first), named(second)
    if left == right:
        raise ConfigurationError(f"{left} is one record: name two.")
    persons = (_person(home, left), _person(home, right))
    if repeated := _last(state, left, right) == verdict:
        return Linked(verdict=verdict, left=str(left), right=str(right), persons=persons, is_repeat=repeated)
    row = {"link_id": uuid4().hex, "verdict": verdict, "actor": actor.strip(), "reason": reason.strip()}
    row |= {f"left_{name}": getattr(left, name) for name in _SIDES}
    row |= {f"right_{name}": getattr(right, name) for name in _SIDES}
    with state.write_ledger() as connection:
        connection.execute(insert(links).values(**row, recorded_at=datetime.now(UTC)))
    return Linked(verdict=verdict, left=str(left), right=str(right), persons=persons, is_repeat=False)


def load(state: State, connection: duckdb.DuckDBPyConnection) -> int:
    """Load the links that the raw table lacks; returns how many."""
    return load_table(state, connection, "links", _TEXTS)


def _person(home: Home, record: Record) -> str:
    """The person of a record in the published build."""
    with published(home) as connection:
        found = None
        if has_table(connection, "intermediate", "person_records"):
            found = connection.execute(
                "SELECT person_id FROM intermediate.person_records "
                "WHERE platform = ? AND account = ? AND record_id = ?",
                [record.platform, record.account, record.record_id],
            ).fetchone()
    if found is None:
        raise ConfigurationError(
            f"The published build has no record {record}: `audiences why` shows a person's records."
        )
    return str(found[0])


def _last(state: State, left: Record, right: Record) -> str | None:
    """What was said last of two records, whichever was named first."""
    said = or_(_named(left, right), _named(right, left))
    query = select(links.c.verdict).where(said).order_by(links.c.recorded_at.desc()).limit(1)
    with reading(state.ledger) as connection:
        verdict: str | None = connection.execute(query).scalar()
        return verdict


def _named(left: Record, right: Record) -> ColumnElement[bool]:
    sides = (("left", left), ("right", right))
    return and_(*(links.c[f"{side}_{name}"] == getattr(record, name) for side, record in sides for name in _SIDES))
