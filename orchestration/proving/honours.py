"""When destinations took our withdrawals and removals, brought into the warehouse before each build.

State knows identifiers as keyed hashes only. The warehouse knows which identifiers have withdrawn, so those alone are
hashed and matched, and the key stays out of every model.
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import pyarrow as pa
from sqlalchemy import select

from orchestration.activation import accepted
from orchestration.activation.ledger import reading
from orchestration.activation.members import install_key
from orchestration.activation.state import State, memberships
from orchestration.warehouse import has_table

#: Reasons of removals that are a withdrawal's.
_WITHDRAWN = ("withdrawn", "spam_complaint")
_REMOVALS = pa.schema(
    [pa.field(name, pa.string()) for name in ("membership_id", "platform", "account", "channel", "record_id")]
    + [pa.field("changed_at", pa.timestamp("us", tz="UTC"))]
)


def record(connection: duckdb.DuckDBPyConnection, state: State) -> int:
    """Add what has been answered since the last build; returns how many rows that were."""
    before = _count(connection)
    if has_table(connection, "marts", "withdrawals"):
        _record_withdrawals(connection, state)
    newest = connection.execute(
        "SELECT max(accepted_at) FROM raw_audiences.honours WHERE answer = 'removal'"
    ).fetchone()
    connection.register("removed", _removals(state, newest[0] if newest else None))
    connection.execute(
        """
        INSERT INTO raw_audiences.honours BY NAME
        WITH found AS (
            SELECT
                'removal' AS answer, sha256(membership_id || chr(31) || changed_at) AS answer_id,
                platform, account, channel, record_id, changed_at AS accepted_at
            FROM removed
        )
        FROM found ANTI JOIN raw_audiences.honours AS known USING (answer_id)
        """
    )
    connection.unregister("removed")
    return _count(connection) - before


def _record_withdrawals(connection: duckdb.DuckDBPyConnection, state: State) -> None:
    """Identifiers are hashed only when there are answers to match; one that none matches is let go of after a week."""
    connection.register("answered", accepted.written_withdrawals(state))
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE fresh_answers AS
        WITH found AS (
            SELECT * REPLACE (accepted_at::TIMESTAMPTZ AS accepted_at),
                sha256(concat_ws(chr(31), platform, account, channel, key_hash, accepted_at)) AS answer_id
            FROM answered
        )
        FROM found ANTI JOIN raw_audiences.honours AS known USING (answer_id)
        WHERE accepted_at >= (
            SELECT coalesce(max(accepted_at) - INTERVAL 7 DAY, '-infinity') FROM raw_audiences.honours
            WHERE answer = 'withdrawal'
        )
        """
    )
    connection.unregister("answered")
    if (connection.execute("SELECT count(*) FROM fresh_answers").fetchone() or (0,))[0]:
        install_key(connection, state.key)
        connection.execute(
            """
            INSERT INTO raw_audiences.honours BY NAME
            WITH ours AS (
                SELECT DISTINCT channel, identifier, keyed_hash(identifier_type || ':' || identifier) AS key_hash
                FROM marts.withdrawals
            )
            SELECT 'withdrawal' AS answer, answer_id, platform, account, channel, identifier, accepted_at
            FROM fresh_answers JOIN ours USING (channel, key_hash)
            """
        )
    connection.execute("DROP TABLE fresh_answers")


def _removals(state: State, since: datetime | None) -> pa.Table:
    """Members who were taken out because of a withdrawal, from the newest one known on."""
    query = select(*(memberships.c[name] for name in _REMOVALS.names))
    query = query.where(memberships.c.status == "removed", memberships.c.reason.in_(_WITHDRAWN))
    if since is not None:
        query = query.where(memberships.c.changed_at >= since)
    with reading(state.deliveries) as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return pa.Table.from_pylist(rows, schema=_REMOVALS)


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    return int((connection.execute("SELECT count(*) FROM raw_audiences.honours").fetchone() or (0,))[0])
