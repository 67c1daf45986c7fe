"""What became of planned rows: outcomes, memberships and withdrawals, written together as they arrive.

A row is in flight, and its membership pending, before its call is made; so a crash, a time-out or an opt-out in between
always finds the member that may be there. Transactions stay short: the speed lane waits for the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, select

from orchestration.activation import booking
from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import insert_new, reading
from orchestration.activation.members import UNSEEN
from orchestration.activation.planned import PlannedRow
from orchestration.activation.state import State, memberships, outcomes, withdrawals, writes

_ROWS = 500
#: States that end a row; anything else is taken up again by a later run.
FINAL = frozenset({"accepted", "dead", "dropped", "compensated"})


@dataclass(frozen=True, slots=True)
class Known:
    """What is on record of a row: its state, how often it was sent, the vendor job that carries it."""

    state: str
    attempts: int
    job_id: str


class Book:
    """The records of one plan."""

    def __init__(self, state: State, plan_id: str, clock: Callable[[], datetime]) -> None:
        self.state = state
        self.plan_id = plan_id
        self.clock = clock

    def known(self, rows: Sequence[PlannedRow]) -> dict[str, Known]:
        """What is on record of these rows; a row that was never sent is absent."""
        found: dict[str, Known] = {}
        columns = (outcomes.c.row_id, outcomes.c.state, outcomes.c.attempts, outcomes.c.job_id)
        with reading(self.state.deliveries) as connection:
            for part in _parts(rows):
                mine = and_(outcomes.c.plan_id == self.plan_id, outcomes.c.row_id.in_([row.row_id for row in part]))
                for one in connection.execute(select(*columns).where(mine)):
                    found[one.row_id] = Known(one.state, one.attempts, one.job_id)
        return found

    def removed(self, rows: Sequence[PlannedRow]) -> dict[str, str]:
        """Row id → reason of the rows whose membership was removed since their call began."""
        found: dict[str, str] = {}
        with reading(self.state.deliveries) as connection:
            for part in _parts(rows):
                mine = memberships.c.membership_id.in_([row.row_id for row in part])
                query = select(memberships.c.membership_id, memberships.c.reason)
                for one in connection.execute(query.where(mine, memberships.c.status == "removed")):
                    found[one.membership_id] = one.reason
        return found

    def in_flight(self) -> dict[str, str]:
        """Row id → job id ("" = none) of every row whose end is not known."""
        mine = and_(outcomes.c.plan_id == self.plan_id, outcomes.c.state == "in_flight")
        with reading(self.state.deliveries) as connection:
            found = connection.execute(select(outcomes.c.row_id, outcomes.c.job_id).where(mine))
            return {one.row_id: one.job_id for one in found}

    def counts(self) -> dict[str, int]:
        """Rows on record by state."""
        query = select(outcomes.c.state, func.count().label("rows")).where(outcomes.c.plan_id == self.plan_id)
        with reading(self.state.deliveries) as connection:
            return {one.state: one.rows for one in connection.execute(query.group_by(outcomes.c.state))}

    def begin(self, rows: Sequence[PlannedRow], attempts: Mapping[str, int], *, refused: bool) -> None:
        """Commit that a call with these rows follows, as a write of ours where it withdraws; `attempts` counts it.

        `refused` rows were sent just now and not taken: their members are no less certain than before.
        """
        now = self.clock()
        for part in _parts(rows):
            adds = [row for row in part if row.op in ("add", "update")]
            with self.state.write_deliveries() as connection:
                self._record(connection, part, "in_flight", attempts=attempts)
                withdrawn = self._about([row for row in part if row.op == "suppress"])
                insert_new(connection, writes, [{**about, "written_at": now} for about in withdrawn])
                if adds:
                    members = [self._membership(row, now) for row in adds]
                    booking.expect(connection, adds, members, refused=refused)

    def carry(self, rows: Sequence[PlannedRow], job_id: str) -> None:
        """Commit the vendor job that carries these rows, right after the call that made it."""
        for part in _parts(rows):
            with self.state.write_deliveries() as connection:
                booking.update_each(
                    connection,
                    outcomes,
                    ("plan_id", "row_id"),
                    [{"b_plan_id": self.plan_id, "b_row_id": row.row_id, "job_id": job_id} for row in part],
                )

    def accepted(
        self, rows: Sequence[PlannedRow], records: Mapping[str, str], unsure: Collection[str] = frozenset()
    ) -> None:
        """The destination took the rows; `records` names the record of a member that was made just now.

        A withdrawal counts as written once every record with its identifier has it: `unsure` keys are left out.
        """
        now = self.clock()
        for part in _parts(rows):
            with self.state.write_deliveries() as connection:
                self._record(connection, part, "accepted")
                adds = [row for row in part if row.op in ("add", "update")]
                if adds:
                    booking.accept(connection, [self._membership(row, now, records.get(row.row_id)) for row in adds])
                booking.remove(connection, [row for row in part if row.op == "remove"], {}, now)
                self._withdrawn(connection, [row for row in part if row.op == "suppress"], unsure, now)

    def compensated(self, rows: Sequence[PlannedRow], reasons: Mapping[str, str]) -> None:
        """The rows were sent, then forbidden, and have been taken back."""
        now = self.clock()
        for part in _parts(rows):
            with self.state.write_deliveries() as connection:
                self._record(connection, part, "compensated", codes=reasons)
                booking.remove(connection, part, reasons, now)

    def dropped(self, rows: Sequence[PlannedRow], reasons: Mapping[str, str]) -> None:
        """The gate forbade the rows before any call."""
        for part in _parts(rows):
            with self.state.write_deliveries() as connection:
                self._record(connection, part, "dropped", codes=reasons)

    def refused(
        self, rows: Sequence[PlannedRow], state: str, codes: Mapping[str, str], details: Mapping[str, str]
    ) -> None:
        """The rows ended as failed or dead; a member that was refused outright at its first call is none."""
        now = self.clock()
        for part in _parts(rows):
            with self.state.write_deliveries() as connection:
                self._record(connection, part, state, codes=codes, details=details)
                if state == "dead":
                    booking.never_was(connection, [row for row in part if row.op == "add"], now)

    def placeholder(self, row: PlannedRow) -> str:
        """How a member is kept whose record the destination has not told us."""
        return UNSEEN + keyed_hash(self.state.key, f"{row.identifier_kind}:{row.identifier}")

    def _membership(self, row: PlannedRow, now: datetime, record_id: str | None = None) -> dict[str, Any]:
        return {
            "membership_id": row.row_id,
            "audience": row.audience,
            "platform": row.platform,
            "account": row.account,
            "target": row.target,
            "record_id": record_id or row.record_id or self.placeholder(row),
            "person_id": row.person_id,
            "brand": row.brand,
            "channel": row.channel,
            "topic": row.topic,
            "payload_hash": row.payload_hash,
            "status": "pending",
            "reason": row.reason,
            "build_id": row.build_id,
            "changed_at": now,
        }

    def _record(
        self,
        connection: Connection,
        rows: Sequence[PlannedRow],
        state: str,
        *,
        attempts: Mapping[str, int] | None = None,
        codes: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        now, codes, details = self.clock(), codes or {}, details or {}
        values = [
            {
                "plan_id": self.plan_id,
                "row_id": row.row_id,
                "state": state,
                "attempts": attempts[row.row_id] if attempts else 0,
                "job_id": "",
                "code": codes.get(row.row_id, "")[:80],
                "detail": details.get(row.row_id, ""),
                "changed_at": now,
            }
            for row in rows
        ]
        changed = ("state", "job_id", "code", "detail", "changed_at", *(("attempts",) if attempts else ()))
        booking.upsert(connection, outcomes, ("plan_id", "row_id"), changed, values)

    def _withdrawn(
        self, connection: Connection, rows: Sequence[PlannedRow], unsure: Collection[str], now: datetime
    ) -> None:
        values = [{**about, "accepted_at": now} for about in self._about(rows) if about["key_hash"] not in unsure]
        keys = ("platform", "account", "channel", "key_hash")
        booking.upsert(connection, withdrawals, keys, ("accepted_at",), values)

    @staticmethod
    def _about(rows: Sequence[PlannedRow]) -> list[dict[str, Any]]:
        """What withdrawals say of whom, and where."""
        return [
            {"platform": row.platform, "account": row.account, "channel": row.channel, "key_hash": key_hash}
            for row in rows
            for key_hash in row.suppression_keys
        ]


def _parts(rows: Sequence[PlannedRow]) -> Iterator[Sequence[PlannedRow]]:
    for start in range(0, len(rows), _ROWS):
        yield rows[start : start + _ROWS]
