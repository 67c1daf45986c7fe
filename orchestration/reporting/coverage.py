"""What is known of consent per source and of age per kind of goods, and when each source last answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import duckdb

from dlt_sources import registry
from orchestration.warehouse import has_table

_Row = TypeVar("_Row")
#: A source is stale after two of its schedules without an answer, as the guards have it.
_STALE_AFTER_SCHEDULES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentCoverage:
    """One row of the mart of the same name: identifiers of one source and channel, by what is known of them."""

    platform: str
    account: str
    channel: str
    identifiers: int
    stated_here: int
    granted: int
    withdrawn: int
    asked_only: int
    nothing_known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeCoverage:
    """One row of the mart of the same name: persons by what is known of their age for one kind of goods."""

    product_category: str
    channel: str
    persons: int
    of_age: int
    under_age: int
    in_conflict: int
    too_weak: int
    no_evidence: int
    unlawful_there: int
    place_unknown: int
    may_be_addressed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source of one account: when it last answered, or for webhooks when it was last heard."""

    account: str
    object: str
    answered_at: datetime | None
    every: str
    stale: bool


def consent_coverage(connection: duckdb.DuckDBPyConnection) -> list[ConsentCoverage]:
    """The mart's rows, by source and channel; none where it was never built."""
    return _rows(connection, "consent_coverage", ConsentCoverage)


def age_coverage(connection: duckdb.DuckDBPyConnection) -> list[AgeCoverage]:
    """The mart's rows, by kind of goods and channel; none where it was never built."""
    return _rows(connection, "age_coverage", AgeCoverage)


def sources(connection: duckdb.DuckDBPyConnection, now: datetime) -> list[Source]:
    """Every source of the published build: pulled objects, then webhooks."""
    pulled = connection.execute(
        "SELECT platform || ':' || account, object, max(contacted_at), arg_max(schedule_seconds, contacted_at) "
        "FROM raw_audiences.contacts GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    heard = [
        row
        for platform in registry.all_platforms()
        if has_table(connection, f"raw_{platform.name}", "webhooks")
        for row in connection.execute(
            f"SELECT ? || ':' || account, max(received_at) FROM raw_{platform.name}.webhooks GROUP BY ALL ORDER BY ALL",
            [platform.name],
        ).fetchall()
    ]
    return [
        Source(
            account=account,
            object=name,
            answered_at=at,
            every=_every(schedule),
            stale=(now - at).total_seconds() > _STALE_AFTER_SCHEDULES * schedule,
        )
        for account, name, at, schedule in pulled
    ] + [
        Source(account=account, object="webhooks", answered_at=at, every="as they happen", stale=False)
        for account, at in heard
    ]


def _rows(connection: duckdb.DuckDBPyConnection, name: str, kind: type[_Row]) -> list[_Row]:
    if not has_table(connection, "marts", name):
        return []
    columns = list(kind.__slots__)  # type: ignore[attr-defined]
    rows = connection.execute(f"SELECT {', '.join(columns)} FROM marts.{name} ORDER BY ALL").fetchall()
    return [kind(**dict(zip(columns, row, strict=True))) for row in rows]


def _every(seconds: int) -> str:
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % length == 0 and seconds >= length:
            count = seconds // length
            return f"every {unit}" if count == 1 else f"every {count} {unit}s"
    return f"every {seconds} s"
