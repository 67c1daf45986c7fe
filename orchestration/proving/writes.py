"""Withdrawals that this house wrote to platforms, brought into the warehouse before each build.

A platform shows such a write later as a block or an opt-out of its own. Only with the write as proof is that an echo;
without it, it is somebody's act there. State knows identifiers as keyed hashes only, so that those who have something
to withdraw are hashed and matched here, and the key stays out of every model.
"""

from __future__ import annotations

from datetime import timedelta

import duckdb

from orchestration.activation import accepted
from orchestration.activation.members import install_key
from orchestration.activation.state import State
from orchestration.warehouse import has_table

#: Writes are noted in the order of their time but for transactions that wait for one another.
_OVERLAP = timedelta(hours=1)
_MODELS = ("consent_events", "suppressions", "identifier_keys")


def record(connection: duckdb.DuckDBPyConnection, state: State) -> int:
    """Add what was written since the last build, and name whom the last build knew; returns how many writes are new."""
    newest = connection.execute("SELECT max(written_at) FROM raw_audiences.writes").fetchone()
    since = newest[0] - _OVERLAP if newest and newest[0] else None
    connection.register("written", accepted.writes_of_withdrawals(state, since))
    added = connection.execute(
        """
        INSERT INTO raw_audiences.writes BY NAME
        WITH found AS (
            SELECT * REPLACE (written_at::TIMESTAMPTZ AS written_at),
                sha256(concat_ws(chr(31), platform, account, channel, key_hash, written_at)) AS write_id
            FROM written
        )
        FROM found ANTI JOIN raw_audiences.writes AS known USING (write_id)
        """
    ).fetchone()
    connection.unregister("written")
    if all(has_table(connection, "intermediate", model) for model in _MODELS):
        _name(connection, state)
    return int((added or (0,))[0])


def _name(connection: duckdb.DuckDBPyConnection, state: State) -> None:
    """Name the identifiers of writes that have none yet, in the spelling in which the models compare them."""
    unnamed = connection.execute("SELECT count(*) FROM raw_audiences.writes WHERE identifier IS NULL").fetchone()
    if not (unnamed or (0,))[0]:
        return
    install_key(connection, state.key)
    connection.execute(
        """
        UPDATE raw_audiences.writes AS writes
        SET identifier_type = named.identifier_type, identifier = named.identifier
        FROM (
            WITH concerned AS (
                SELECT identifier_type, identifier FROM intermediate.consent_events
                WHERE state = 'withdrawn' AND identifier IS NOT NULL
                UNION
                SELECT identifier_type, identifier FROM intermediate.suppressions WHERE identifier IS NOT NULL
            ),
            spelt AS (
                SELECT identifier_type, identifier, identifier AS told FROM concerned
                UNION
                SELECT concerned.identifier_type, concerned.identifier, keys.told
                FROM concerned
                JOIN intermediate.identifier_keys AS keys
                    ON keys.identifier_type = concerned.identifier_type AND keys.target_key = concerned.identifier
            )
            SELECT keyed_hash(identifier_type || ':' || told) AS key_hash, identifier_type,
                min(identifier) AS identifier
            FROM spelt
            GROUP BY ALL
        ) AS named
        WHERE writes.identifier IS NULL AND writes.key_hash = named.key_hash
        """
    )
