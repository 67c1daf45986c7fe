"""Rows of a built shop, and names for the facts that are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

Row = Mapping[str, Any]


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[Row]:
    """The rows of a query, by column."""
    found = connection.execute(query)
    names = [column[0] for column in found.description]
    return (dict(zip(names, row, strict=True)) for row in found.fetchall())


def named(*parts: object) -> str:
    """The id of a fact, of whatever tells it from others."""
    return ":".join("" if part is None else str(part) for part in parts)


def full_name(row: Row) -> str | None:
    """First and last name as one."""
    return " ".join(part for part in (row["first_name"], row["last_name"]) if part) or None
