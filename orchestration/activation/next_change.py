"""When an answer of the published build next changes by the clock alone: a birthday, an expiry, the start of a rule."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class NextChange:
    """The earliest change that the published decisions foresee; `at` is None when they foresee none.

    `people` are those whose answers may change then.
    """

    build_id: int
    decided_as_of: datetime
    at: datetime | None
    people: int


def next_change(home: Home) -> NextChange | None:
    """Read the published copy; None before the first build.

    A change that lies before the moment the build decided by is none: the build has seen to it.
    """
    path = home.published_warehouse
    if not path.exists():
        return None
    with contextlib.suppress(duckdb.CatalogException), duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        row = connection.execute(
            """
            WITH clock AS (SELECT build_id, as_of FROM marts.clock ORDER BY build_id DESC LIMIT 1),
            ahead AS (
                SELECT person_id, next_change_at FROM marts.decisions
                WHERE next_change_at > (SELECT as_of FROM clock)
            ),
            earliest AS (SELECT min(next_change_at) AS changes_at FROM ahead)
            SELECT clock.build_id, clock.as_of, earliest.changes_at,
                (
                    SELECT count(DISTINCT person_id) FROM ahead
                    WHERE next_change_at = (SELECT changes_at FROM earliest)
                )
            FROM clock CROSS JOIN earliest
            """
        ).fetchone()
        if row is not None:
            return NextChange(build_id=row[0], decided_as_of=row[1], at=row[2], people=row[3])
    return None
