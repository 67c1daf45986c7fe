"""The raw rows behind evidence rows: what a platform sent, found by the ids that evidence carries.

An evidence id names its platform, account, the kind of thing and its id or the hash of its payload. A row is behind it
when it bears that hash, or that id in a table of that kind. Payloads leave the warehouse here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import orjson

from orchestration.activation.evidence import Evidence

#: The word in front of an id → the tables that hold such things; deliveries of webhooks besides.
_TABLES: Mapping[str, tuple[str, ...]] = {
    "customer": ("customers",),
    "order": ("orders",),
    "profile": ("profiles",),
    "suppression": ("profiles",),
    "contact": ("contacts",),
    "status": ("subscription_statuses",),
    "wide": ("subscription_statuses",),
    "message": ("messages", "webhooks"),
    "event": ("events", "webhooks"),
    "act": ("webhooks",),
    "delivery": ("webhooks",),
}
_HASH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRow:
    """One raw row as it was landed; `evidence_ids` are the rows that rest on it."""

    table: str
    account: str
    record_id: str
    arrived_at: datetime | None
    payload_hash: str
    payload: Any
    evidence_ids: list[str] = field(default_factory=list)


def behind(connection: duckdb.DuckDBPyConnection, evidence: Sequence[Evidence]) -> list[RawRow]:
    """Every raw row behind the evidence, each once."""
    found: dict[tuple[str, str, str, str, str], RawRow] = {}
    for one in evidence:
        for row in _of(connection, one):
            key = (row.table, row.account, row.record_id, row.payload_hash, str(row.arrived_at))
            found.setdefault(key, row).evidence_ids.append(one.id)
    return [found[key] for key in sorted(found)]


def _of(connection: duckdb.DuckDBPyConnection, one: Evidence) -> list[RawRow]:
    if one.kind == "registry":
        return _receipts(connection, one)
    parts = one.id.split(":")
    if len(parts) < 4:
        return []
    platform, account, word, *ids = parts
    hashes = [part for part in ids if len(part) == _HASH]
    named = [table for table in _TABLES.get(word, ()) if _exists(connection, platform, table)]
    rows: list[RawRow] = []
    for table in named:
        if table != "webhooks":
            condition = "record_id IN (SELECT unnest($ids::VARCHAR[]))"
            # A version is told by its hash; the other versions of the record say something else.
            condition += " AND payload_hash IN (SELECT unnest($hashes::VARCHAR[]))" if hashes and len(ids) > 1 else ""
            rows += _rows(connection, platform, table, account, condition, {"ids": ids, "hashes": hashes})
    if hashes and not rows:
        for table in _all(connection, platform):
            bears = "payload_hash IN (SELECT unnest($hashes::VARCHAR[]))"
            rows += _rows(connection, platform, table, account, bears, {"hashes": hashes})
    if "webhooks" in named:
        rows += _deliveries(connection, platform, account, ids)
    return rows


def _deliveries(connection: duckdb.DuckDBPyConnection, platform: str, account: str, ids: Sequence[str]) -> list[RawRow]:
    """Webhooks by their delivery, or by an item of it: staging knows which body an item came in."""
    staged = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'staging' AND table_name = $1 "
        "AND data_type = 'VARCHAR' AND (column_name = 'id' OR ends_with(column_name, '_id'))",
        [f"stg_{platform}__webhooks"],
    ).fetchall()
    if not staged:
        return []
    names = " OR ".join(f'"{column}" IN (SELECT unnest($ids::VARCHAR[]))' for _, column in staged)
    condition = (
        "record_id IN (SELECT unnest($ids::VARCHAR[])) OR payload_hash IN "
        f"(SELECT payload_hash FROM staging.{staged[0][0]} WHERE {names})"
    )
    return _rows(
        connection, platform, "webhooks", account, f"({condition})", {"ids": [one for one in ids if len(one) > 3]}
    )


def _receipts(connection: duckdb.DuckDBPyConnection, one: Evidence) -> list[RawRow]:
    cursor = connection.execute("FROM raw_audiences.registry_receipts WHERE receipt_id = ?", [one.id])
    names = [column[0] for column in cursor.description]
    return [
        RawRow(
            table="raw_audiences.registry_receipts",
            account="",
            record_id=one.id,
            arrived_at=one.recorded_at,
            payload_hash="",
            payload=dict(zip(names, row, strict=True)),
        )
        for row in cursor.fetchall()
    ]


def _rows(
    connection: duckdb.DuckDBPyConnection,
    platform: str,
    table: str,
    account: str,
    condition: str,
    values: Mapping[str, Sequence[str]],
) -> list[RawRow]:
    arrival = "received_at" if table == "webhooks" else "extracted_at"
    used = {name: list(value) for name, value in values.items() if f"${name}" in condition}
    rows = connection.execute(
        f'SELECT account, record_id, {arrival}, payload_hash, payload FROM raw_{platform}."{table}" '
        f"WHERE account = $account AND {condition}",
        {"account": account, **used},
    ).fetchall()
    return [
        RawRow(
            table=f"raw_{platform}.{table}",
            account=row[0],
            record_id=row[1],
            arrived_at=row[2],
            payload_hash=row[3],
            payload=_parsed(row[4]),
        )
        for row in rows
    ]


def _all(connection: duckdb.DuckDBPyConnection, platform: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT table_name FROM duckdb_columns() WHERE schema_name = $1 AND column_name = 'payload_hash' "
        "AND database_name = current_database() AND NOT starts_with(table_name, '_') ORDER BY ALL",
        [f"raw_{platform}"],
    ).fetchall()
    return [table for (table,) in rows]


def _exists(connection: duckdb.DuckDBPyConnection, platform: str, table: str) -> bool:
    return table in _all(connection, platform)


def _parsed(payload: Any) -> Any:
    """The payload as JSON, or as the text that it was."""
    try:
        return orjson.loads(payload)
    except (orjson.JSONDecodeError, TypeError):
        return payload
