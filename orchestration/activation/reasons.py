"""Reason codes in words: what each means, what would change it, and the law or policy that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from orchestration.home import Home


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code with what it means, what would change it, and the law or policy that it rests on."""

    code: str
    meaning: str
    next_step: str
    law: str = ""


def reasons_of(connection: duckdb.DuckDBPyConnection, codes: Sequence[str]) -> list[Reason]:
    """The codes in their order; a code that the vocabulary does not know keeps an empty meaning."""
    found = connection.execute("FROM seeds.reason_codes WHERE list_contains($1::VARCHAR[], code)", [list(codes)])
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    known = {
        row["code"]: Reason(row["code"], row["meaning"] or "", row["next_step"] or "", row.get("law") or "")
        for row in rows
    }
    return [known.get(code, Reason(code, "", "")) for code in codes]


def meanings(home: Home, codes: Sequence[str]) -> dict[str, str]:
    """Code → what it means, out of the published copy; empty before the first build."""
    path = home.published_warehouse
    if not codes or not path.exists():
        return {}
    with duckdb.connect(str(path), read_only=True) as connection:
        return {reason.code: reason.meaning for reason in reasons_of(connection, codes)}
