"""What changed since the last published build: people added to and removed from each audience, with the reasons."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from orchestration.activation.publish import WAREHOUSE
from orchestration.home import Home
from orchestration.warehouse import has_table

_log = logging.getLogger(__name__)

#: Stands for people whom the segment's SQL returns now and did not before, or the other way round.
INTEREST = "interest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One audience against the build before: people added, by why they were out; people removed, by why they are."""

    audience: str
    before: int
    now: int
    added: Mapping[str, int] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)


def changes(
    home: Home, connection: duckdb.DuckDBPyConnection, build_id: int, audiences: Sequence[str]
) -> list[Change] | None:
    """Compare the open warehouse with the published copy, before that copy is replaced.

    None when there is nothing to compare with: no former copy, one of this very build, or one that cannot be read.
    """
    former = home.published / WAREHOUSE
    if not former.exists():
        return None
    name = str(former).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{name}' AS former (READ_ONLY)")
    except duckdb.Error as error:
        _log.warning("The former copy cannot be opened, so nothing is compared with it: %s", type(error).__name__)
        return None
    try:
        [(published,)] = connection.execute("SELECT max(build_id) FROM former.marts.clock").fetchall()
        if published == build_id:
            return None
        known = {
            one
            for (one,) in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE database_name = 'former' AND schema_name = 'audiences'"
            ).fetchall()
        }
        return [
            _change(connection, audience)
            for audience in audiences
            if audience in known and has_table(connection, "audiences", audience)
        ]
    except duckdb.Error as error:
        _log.warning("The former copy cannot be compared with: %s", type(error).__name__)
        return None
    finally:
        connection.execute("DETACH former")


def _change(connection: duckdb.DuckDBPyConnection, audience: str) -> Change:
    rows = connection.execute(
        f"""
        WITH before AS (SELECT DISTINCT person_id FROM former.audiences."{audience}"),
        now AS (SELECT DISTINCT person_id FROM audiences."{audience}"),
        out_before AS (
            SELECT person_id, min(lead_reason) AS reason FROM former.exclusions."{audience}" GROUP BY person_id
        ),
        out_now AS (SELECT person_id, min(lead_reason) AS reason FROM exclusions."{audience}" GROUP BY person_id)
        SELECT 'before', '', count(*) FROM before
        UNION ALL SELECT 'now', '', count(*) FROM now
        UNION ALL
        SELECT 'added', coalesce(reason, '{INTEREST}'), count(*)
        FROM (FROM now ANTI JOIN before USING (person_id)) LEFT JOIN out_before USING (person_id) GROUP BY ALL
        UNION ALL
        SELECT 'removed', coalesce(reason, '{INTEREST}'), count(*)
        FROM (FROM before ANTI JOIN now USING (person_id)) LEFT JOIN out_now USING (person_id) GROUP BY ALL
        """
    ).fetchall()
    counts = {kind: count for kind, _, count in rows}
    by_reason = {way: {reason: count for kind, reason, count in rows if kind == way} for way in ("added", "removed")}
    return Change(audience=audience, before=counts["before"], now=counts["now"], **by_reason)
