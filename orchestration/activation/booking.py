"""The statements that book rows: memberships with their keys, and any table by key, for many rows at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, bindparam, case, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestration.activation.ledger import insert_new
from orchestration.activation.state import membership_keys, memberships

if TYPE_CHECKING:  # it loads what reads plan files
    from orchestration.activation.planned import PlannedRow

#: Reason of a member that was sent before, with no known end.
UNSURE = "unsure"


def expect(connection: Connection, rows: Sequence[PlannedRow], values: list[dict[str, Any]], *, refused: bool) -> None:
    """Make members pending, unless the destination already accepted them, with every key they can be found by.

    One that is pending already was sent before, and how that ended is not known unless it was just `refused`: its
    reason says so.
    """
    insert = _insert_into(connection, memberships)
    changed = {name: insert.excluded[name] for name in ("person_id", "build_id", "changed_at")}
    changed["status"] = case((memberships.c.status == "accepted", "accepted"), else_="pending")
    if not refused:
        changed["reason"] = case((memberships.c.status == "pending", UNSURE), else_=insert.excluded.reason)
    connection.execute(insert.on_conflict_do_update(index_elements=["membership_id"], set_=changed), values)
    keys = [{"key_hash": key, "membership_id": row.row_id} for row in rows for key in row.suppression_keys]
    insert_new(connection, membership_keys, keys)


def accept(connection: Connection, values: list[dict[str, Any]]) -> None:
    """Members as accepted; one that the speed lane removed during the call stays removed."""
    changed = ("status", "record_id", "person_id", "payload_hash", "reason", "build_id", "changed_at")
    rows = [
        {"b_membership_id": one["membership_id"], **{name: one[name] for name in changed}, "status": "accepted"}
        for one in values
    ]
    update_each(connection, memberships, ("membership_id",), rows, memberships.c.status != "removed")


def remove(connection: Connection, rows: Sequence[PlannedRow], reasons: Mapping[str, str], now: datetime) -> None:
    """Members as removed, each with the reason given, else the one it was planned with."""
    values = [
        {
            "b_membership_id": row.row_id,
            "status": "removed",
            "reason": reasons.get(row.row_id, row.reason)[:120],
            "changed_at": now,
        }
        for row in rows
    ]
    update_each(connection, memberships, ("membership_id",), values)


def never_was(connection: Connection, rows: Sequence[PlannedRow], now: datetime) -> None:
    """Forget pending members whose only call was refused; an earlier call without an answer may have made them."""
    values = [
        {"b_membership_id": row.row_id, "status": "removed", "reason": "refused", "changed_at": now} for row in rows
    ]
    sent_once = and_(memberships.c.status == "pending", memberships.c.reason != UNSURE)
    update_each(connection, memberships, ("membership_id",), values, sent_once)


def update_each(
    connection: Connection,
    table: Any,
    keys: Collection[str],
    values: list[dict[str, Any]],
    *conditions: Any,
) -> None:
    """Update a row per value: its keys are prefixed with `b_`, everything else is set."""
    if not values:
        return
    where = [table.c[key] == bindparam(f"b_{key}") for key in keys]
    connection.execute(update(table).where(*where, *conditions), values)


def upsert(
    connection: Connection,
    table: Any,
    keys: Collection[str],
    changed: Collection[str],
    values: list[dict[str, Any]],
    condition: Any = None,
) -> None:
    """Insert rows, or set what `changed` names where the keys are there (and the condition, if any, is met)."""
    if not values:
        return
    insert = _insert_into(connection, table)
    fresh = {name: insert.excluded[name] for name in changed}
    connection.execute(insert.on_conflict_do_update(index_elements=list(keys), set_=fresh, where=condition), values)


def _insert_into(connection: Connection, table: Any) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
