"""The raw rows that lead to one person, as far as they had arrived by a time, copied out of the published copy.

Records are followed over every key that any of them has ever shown, so that whoever was one person with them once is
there too. Which raw rows name them is read off the typed columns of staging; payloads are not searched. A row too many
does no harm: the models decide about somebody else then, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration.activation.asked import Asked

#: Steps from record to record over shared keys, and how many holders a key may have to be walked on through.
_STEPS, _SHARED = 12, 100
#: Columns by which a raw row tells when it reached us, the most telling first.
_ARRIVALS = ("received_at", "recorded_at", "extracted_at", "contacted_at", "written_at")
_NO_NAMES = {"account", "payload_hash", "landing_id", "topic", "body"}
_NUMBERS = ("phone", "address", "identifier")


@dataclass(slots=True)
class Copied:
    """What was copied: raw rows in all, the records followed, and when the oldest row of all raw arrived."""

    rows: int = 0
    records: int = 0
    oldest: datetime | None = None
    notes: list[str] = field(default_factory=list)


def copy(connection: duckdb.DuckDBPyConnection, published: Path, asked: Asked, known_at: datetime) -> Copied:
    """Fill the raw tables and seeds of an empty warehouse; leaves the temp table `subject_records` behind."""
    connection.execute(f"ATTACH '{str(published).replace(chr(39), chr(39) * 2)}' AS published (READ_ONLY)")
    copied = Copied()
    _follow(connection, asked, copied)
    _find(connection, asked)
    for schema, table, columns in _tables(connection, "raw\\_%"):
        _copy_raw(connection, schema, table, columns, known_at, copied)
    connection.execute("CREATE SCHEMA IF NOT EXISTS seeds")
    for _, table, _ in _tables(connection, "seeds"):
        connection.execute(f'CREATE OR REPLACE TABLE seeds."{table}" AS FROM published.seeds."{table}"')
    connection.execute("DETACH published")
    return copied


def _follow(connection: duckdb.DuckDBPyConnection, asked: Asked, copied: Copied) -> None:
    """Every record that is, or may once have been, one person with the subject's."""
    connection.execute(
        "CREATE TEMP TABLE keys AS SELECT record_key, unnest(list_distinct(list_concat(suppression_keys, blocked_by))) "
        "AS key FROM published.intermediate.identity_keys"
    )
    # Records that somebody joined by hand share nothing but that.
    joined = [table for _, table, _ in _tables(connection, "raw\\_audiences") if table == "links"]
    for side in ("left", "right") if joined else ():
        connection.execute(
            f"INSERT INTO keys SELECT concat_ws(':', {side}_platform, {side}_account, {side}_record_id), link_id "
            "FROM published.raw_audiences.links"
        )
    if asked.key:
        connection.execute(
            "CREATE TEMP TABLE subject_records AS SELECT DISTINCT record_key FROM keys WHERE key = ?", [asked.key]
        )
    else:
        connection.execute(
            "CREATE TEMP TABLE subject_records AS SELECT DISTINCT record_key "
            "FROM published.intermediate.person_records WHERE person_id = ?",
            [asked.subject],
        )
    connection.execute("CREATE TEMP TABLE followed AS FROM subject_records")
    connection.execute("CREATE TEMP TABLE newest AS FROM subject_records")
    crowded: set[str] = set()
    for step in range(_STEPS):
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE mine AS SELECT DISTINCT key FROM keys SEMI JOIN newest USING (record_key)"
        )
        if step:
            found = connection.execute(
                "SELECT key FROM keys SEMI JOIN mine USING (key) GROUP BY key HAVING count(*) > ?", [_SHARED]
            ).fetchall()
            crowded.update(key for (key,) in found)
            connection.execute("DELETE FROM mine WHERE key IN (SELECT unnest($1::VARCHAR[]))", [sorted(crowded)])
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE newest AS SELECT DISTINCT record_key FROM keys SEMI JOIN mine USING (key) "
            "ANTI JOIN followed USING (record_key)"
        )
        connection.execute("INSERT INTO followed FROM newest")
        if not _count(connection, "newest"):
            break
    copied.records = _count(connection, "followed")
    if crowded:
        copied.notes.append(
            f"{len(crowded)} identifiers that more than {_SHARED} records share were not followed to their holders."
        )


def _find(connection: duckdb.DuckDBPyConnection, asked: Asked) -> None:
    """The staged rows that name any of the records or identifiers, and those that they name in turn."""
    connection.execute(
        """
        CREATE TEMP TABLE needles AS
        SELECT DISTINCT lower(needle) AS needle FROM (
            SELECT unnest([target_key, split_part(target_key, ':', -1), 'whatsapp:' || target_key]) AS needle
            FROM published.intermediate.identity_keys SEMI JOIN followed USING (record_key)
            UNION ALL
            SELECT substr(key, strpos(key, ':') + 1) FROM keys SEMI JOIN followed USING (record_key)
            UNION ALL
            -- Every other way in which somebody has written one of these.
            SELECT told FROM (
                SELECT told, unnest(list_concat(suppression_keys, blocked_by)) AS key
                FROM published.intermediate.identifier_keys
            ) WHERE key IN (SELECT key FROM keys SEMI JOIN followed USING (record_key) UNION SELECT $key)
            UNION ALL
            SELECT split_part(record_key, ':', -1) FROM followed
            UNION ALL
            SELECT unnest([$subject, 'whatsapp:' || $subject])
        ) WHERE needle <> ''
        """,
        {"subject": asked.key.partition(":")[2], "key": asked.key},
    )
    connection.execute(
        "CREATE TEMP TABLE numbers AS SELECT DISTINCT regexp_replace(needle, '[^0-9]', '', 'g') AS number FROM needles "
        "WHERE regexp_matches(needle, '^(whatsapp:)?\\+[0-9]+$')"
    )
    connection.execute(
        "CREATE TEMP TABLE named (platform VARCHAR, account VARCHAR, record_id VARCHAR, payload_hash VARCHAR)"
    )
    connection.execute("CREATE TEMP TABLE named_in_turn (platform VARCHAR, account VARCHAR, id VARCHAR)")
    staged = [one for one in _tables(connection, "staging") if one[1].startswith("stg_") and "payload_hash" in one[2]]
    for _, table, columns in staged:
        platform = table.removeprefix("stg_").partition("__")[0]
        texts = [name for name, kind in columns.items() if kind in ("VARCHAR", "BIGINT") and name not in _NO_NAMES]
        conditions = [f'lower(trim("{name}"::VARCHAR)) IN (FROM needles)' for name in texts]
        conditions += [
            f"regexp_replace(\"{name}\", '[^0-9]', '', 'g') IN (FROM numbers)"
            for name in texts
            if columns[name] == "VARCHAR" and any(part in name for part in _NUMBERS)
        ]
        connection.execute(
            f'CREATE OR REPLACE TEMP TABLE hits AS FROM published.staging."{table}" WHERE {" OR ".join(conditions)}'
        )
        connection.execute("INSERT INTO named SELECT ?, account, record_id, payload_hash FROM hits", [platform])
        for name in texts:
            if name.endswith("_id"):
                connection.execute(
                    f'INSERT INTO named_in_turn SELECT DISTINCT ?, account, "{name}" FROM hits', [platform]
                )
    for _, table, _ in staged:
        if not table.endswith("__webhooks"):
            platform = table.removeprefix("stg_").partition("__")[0]
            connection.execute(
                "INSERT INTO named SELECT $1, account, record_id, payload_hash "
                f'FROM published.staging."{table}" AS staged '
                "SEMI JOIN named_in_turn AS ids ON ids.platform = $1 AND ids.account = staged.account "
                "AND ids.id = staged.record_id",
                [platform],
            )


def _copy_raw(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    table: str,
    columns: dict[str, str],
    known_at: datetime,
    copied: Copied,
) -> None:
    source, target = f'published.{schema}."{table}"', f'{schema}."{table}"'
    arrival = next((name for name in _ARRIVALS if name in columns), None)
    conditions = [f"{arrival} <= $known_at"] if arrival else []
    values: dict[str, object] = {"known_at": known_at} if arrival else {}
    if "payload_hash" in columns:
        conditions.append(
            "EXISTS (FROM named WHERE named.platform = $platform AND named.account = raw.account "
            "AND named.payload_hash = raw.payload_hash)"
        )
        values["platform"] = schema.removeprefix("raw_")
        found = connection.execute(f"SELECT min({arrival}) FROM {source}").fetchone() if arrival else None
        if found and found[0] is not None:
            copied.oldest = min(copied.oldest or found[0], found[0])
    elif "record_key" in columns:
        conditions.append("record_key IN (SELECT record_key FROM followed)")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.execute(f"CREATE OR REPLACE TABLE {target} AS FROM {source} AS raw{where}", values)
    if "payload_hash" in columns:
        copied.rows += _count(connection, target)


def _tables(connection: duckdb.DuckDBPyConnection, schemas: str) -> Sequence[tuple[str, str, dict[str, str]]]:
    """Tables of the published copy in these schemas, with their columns and types; dlt's own are left out."""
    rows = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = 'published' AND schema_name LIKE $1 ESCAPE '\\' AND NOT starts_with(table_name, '_') "
        "ORDER BY ALL",
        [schemas],
    ).fetchall()
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, kind in rows:
        found.setdefault((schema, table), {})[column] = kind
    return [(schema, table, columns) for (schema, table), columns in found.items()]


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int((connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,))[0])
