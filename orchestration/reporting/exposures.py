"""The exposure report: what was sent between a withdrawal and the moment in which it was honoured, and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration.warehouse import has_table

#: Sends that nobody can hold against the shop: the one text that confirms a stop.
_COUNTED = "NOT may_be_confirmation"
_LATEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Sends of one kind by one account on one channel; the three counts add up to `sends`.

    `within_clock` were sent before the withdrawal was honoured, which was in time; `past_clock` are those where it was
    not, or where no deadline is known; `after_honouring` were sent by a platform that already held the withdrawal.
    """

    platform: str
    account: str
    channel: str
    send_kind: str
    people: int
    withdrawals: int
    sends: int
    within_clock: int
    past_clock: int
    after_honouring: int
    longest_hours: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """One send after a withdrawal: whose, which, and the deadline with what became of it."""

    person_id: str
    channel: str
    consent_event_id: str
    send_kind: str
    send_id: str
    platform: str
    account: str
    withdrawn_at: datetime
    received_at: datetime
    sent_at: datetime
    honoured_at: datetime | None
    is_after_honouring: bool
    honour_clock: str | None
    jurisdiction: str | None
    honour_by: datetime | None
    is_clock_kept: bool | None


def exposures(connection: duckdb.DuckDBPyConnection) -> list[Exposure]:
    """Every account and channel with exposures, the most first; none where the mart was never built."""
    if not has_table(connection, "marts", "exposures"):
        return []
    rows = connection.execute(
        f"""
        SELECT platform, account, channel, send_kind,
            count(DISTINCT person_id) AS people, count(DISTINCT consent_event_id) AS withdrawals, count(*) AS sends,
            count(*) FILTER (WHERE NOT is_after_honouring AND coalesce(is_clock_kept, false)) AS within_clock,
            count(*) FILTER (WHERE NOT is_after_honouring AND NOT coalesce(is_clock_kept, false)) AS past_clock,
            count(*) FILTER (WHERE is_after_honouring) AS after_honouring,
            round(max(date_diff('second', received_at, honoured_at)) / 3600, 2) AS longest_hours
        FROM marts.exposures WHERE {_COUNTED}
        GROUP BY platform, account, channel, send_kind
        ORDER BY sends DESC, platform, account, channel, send_kind
        """
    ).fetchall()
    return [Exposure(**dict(zip(Exposure.__slots__, row, strict=True))) for row in rows]


def latest(connection: duckdb.DuckDBPyConnection, limit: int = _LATEST) -> list[Exposed]:
    """The sends themselves, newest first."""
    return _sends(connection, f"{_COUNTED} ORDER BY sent_at DESC, send_id, person_id LIMIT {limit}", [])


def every(connection: duckdb.DuckDBPyConnection) -> list[Exposed]:
    """All of the sends, newest first."""
    return _sends(connection, f"{_COUNTED} ORDER BY sent_at DESC, send_id, person_id", [])


def exposed_people(connection: duckdb.DuckDBPyConnection, person_ids: Sequence[str]) -> list[Exposed]:
    """The sends to these people, oldest first, texts that may confirm a stop included."""
    condition = "person_id IN (SELECT unnest($1::VARCHAR[])) ORDER BY sent_at, send_id"
    return _sends(connection, condition, [list(person_ids)])


def _sends(connection: duckdb.DuckDBPyConnection, condition: str, values: list[list[str]]) -> list[Exposed]:
    if not has_table(connection, "marts", "exposures"):
        return []
    columns = ", ".join(Exposed.__slots__)
    rows = connection.execute(f"SELECT {columns} FROM marts.exposures WHERE {condition}", values).fetchall()
    return [Exposed(**dict(zip(Exposed.__slots__, row, strict=True))) for row in rows]


def parts(found: list[Exposure]) -> Mapping[str, list[int]]:
    """The counts as parts of bars."""
    return {
        "in time": [one.within_clock for one in found],
        "too late": [one.past_clock for one in found],
        "after honouring": [one.after_honouring for one in found],
    }
