"""How fast an opt-out took effect: from the webhook's arrival to the removal at each destination."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa
from sqlalchemy import select

from orchestration.activation.ledger import chunks, one_of, reading
from orchestration.activation.state import State, ledger, outbox

WINDOW = timedelta(days=7)
#: Calls looked at, newest first; enough for percentiles, and a bound on what is read.
_MOST = 20_000
_QUERY = """
WITH steps AS (
    SELECT 'received → call owed' AS step, '' AS place, date_diff('microsecond', received, owed) / 1e6 AS seconds
    FROM calls
    UNION ALL
    SELECT CASE operation WHEN 'remove' THEN 'received → removed' ELSE 'received → opt-out written' END,
        platform || ':' || account, date_diff('microsecond', received, done) / 1e6
    FROM calls WHERE done IS NOT NULL
)
SELECT step, place, count(*), quantile_cont(seconds, 0.5), quantile_cont(seconds, 0.95), max(seconds)
FROM steps GROUP BY step, place ORDER BY step <> 'received → call owed', step, place
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One step of a suppression over the window: how often it was taken, and in how many seconds."""

    step: str
    place: str
    times: int
    p50: float
    p95: float
    slowest: float


def latencies(state: State, now: datetime) -> list[Latency]:
    """Every step of the last `WINDOW`, from the ledger's and the outbox's times; empty without opt-outs of members."""
    query = (
        select(outbox.c.ledger_id, outbox.c.operation, outbox.c.platform, outbox.c.account)
        .add_columns(outbox.c.created_at.label("owed"), outbox.c.done_at.label("done"))
        .where(outbox.c.created_at >= now - WINDOW, outbox.c.operation.in_(("remove", "suppress")))
        .order_by(outbox.c.created_at.desc())
        .limit(_MOST)
    )
    with reading(state.deliveries) as connection:
        owed = [dict(row) for row in connection.execute(query).mappings()]
    if not owed:
        return []
    calls = pa.Table.from_pylist(owed, schema=_schema("ledger_id operation platform account", "owed done"))
    received = pa.Table.from_pylist(_received(state, owed), schema=_schema("ledger_id", "received"))
    with duckdb.connect() as connection:
        connection.register("owed_calls", calls)
        connection.register("receipts", received)
        connection.execute("CREATE TEMP VIEW calls AS FROM owed_calls JOIN receipts USING (ledger_id)")
        rows = connection.execute(_QUERY).fetchall()
    names = Latency.__slots__
    return [Latency(**dict(zip(names, row, strict=True))) for row in rows]


def _received(state: State, owed: list[dict[str, object]]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    ids = sorted({str(row["ledger_id"]) for row in owed})
    with reading(state.ledger) as connection:
        for part in chunks(ids):
            query = select(ledger.c.ledger_id, ledger.c.recorded_at.label("received"))
            rows = connection.execute(query.where(one_of(connection, ledger.c.ledger_id, part)))
            found += [dict(row) for row in rows.mappings()]
    return found


def _schema(texts: str, times: str) -> pa.Schema:
    fields = [(name, pa.string()) for name in texts.split()]
    return pa.schema(fields + [(name, pa.timestamp("us", tz="UTC")) for name in times.split()])
