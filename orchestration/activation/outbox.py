"""The outbox: calls owed to destinations, kept in state until each has taken them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Row, func, select, update

from dlt_sources.platform import Identifier, IdentifierKind
from orchestration.activation.keys import exact_key, keyed_hash
from orchestration.activation.ledger import insert_new, reading
from orchestration.activation.state import State, memberships, outbox, withdrawals, writes

_log = logging.getLogger(__name__)

#: Seconds before each next attempt; the last one for ever.
BACKOFF = (0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 900.0, 3600.0)
#: What waits for a person (401, 403, a list that is gone) is tried at this pace from the start.
SLOW = (60.0, 300.0, 900.0, 3600.0)
#: A row that its destination calls faulty this often is dead.
DEAD_AFTER = 5


class Outbox:
    """What is owed, in state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def queues(self, now: datetime) -> list[tuple[str, str]]:
        """The (account key, operation) pairs that have a call due."""
        statement = select(outbox.c.platform, outbox.c.account, outbox.c.operation).distinct()
        due = statement.where(outbox.c.state == "due", outbox.c.next_attempt_at <= now)
        with reading(self.state.deliveries) as connection:
            return [(f"{row.platform}:{row.account}", row.operation) for row in connection.execute(due)]

    def due(self, key: str, operation: str, now: datetime, most: int) -> Sequence[Row[Any]]:
        """Calls of one queue that are due: what people asked for before blocks set by hand, those never tried first."""
        platform, _, account = key.partition(":")
        statement = (
            select(outbox)
            .where(
                outbox.c.state == "due",
                outbox.c.next_attempt_at <= now,
                outbox.c.platform == platform,
                outbox.c.account == account,
                outbox.c.operation == operation,
            )
            .order_by(outbox.c.reason == "manual_block", outbox.c.attempts, outbox.c.created_at)
            .limit(most)
        )
        with reading(self.state.deliveries) as connection:
            return connection.execute(statement).all()

    def next_due(self) -> datetime | None:
        """When the next call is due; None when nothing is owed."""
        with reading(self.state.deliveries) as connection:
            first: datetime | None = connection.scalar(
                select(func.min(outbox.c.next_attempt_at)).where(outbox.c.state == "due")
            )
            return first

    def counts(self) -> dict[str, int]:
        """How many calls are due, done and dead."""
        statement = select(outbox.c.state, func.count()).group_by(outbox.c.state)
        with reading(self.state.deliveries) as connection:
            return dict(connection.execute(statement).tuples().all())

    def writing(self, rows: Sequence[Row[Any]]) -> None:
        """Note that withdrawals are about to be written: from now on their platform may show them."""
        now = datetime.now(UTC)
        written = [{**one, "written_at": now} for row in rows for one in self._withdrawn(row)]
        with self.state.write_deliveries() as connection:
            insert_new(connection, writes, written)

    def done(self, rows: Sequence[Row[Any]]) -> None:
        """Close calls that their destination has accepted, with what follows from it."""
        if not rows:
            return
        now = datetime.now(UTC)
        with self.state.write_deliveries() as connection:
            for row in rows:
                change = update(outbox).where(outbox.c.outbox_id == row.outbox_id)
                connection.execute(change.values(state="done", identifier="", detail="", done_at=now))
                if row.operation == "remove":
                    held = memberships.c.status.in_(("pending", "accepted"))
                    gone = update(memberships).where(memberships.c.membership_id == row.membership_id, held)
                    connection.execute(gone.values(status="removed", reason=row.reason, changed_at=now))
                for written in self._withdrawn(row):
                    here = [withdrawals.c[name] == value for name, value in written.items()]
                    insert_new(connection, withdrawals, [{**written, "accepted_at": now}])
                    connection.execute(update(withdrawals).where(*here).values(accepted_at=now))

    def later(
        self,
        rows: Sequence[Row[Any]],
        detail: str,
        pace: Sequence[float] = (),
        *,
        at_least: float = 0.0,
        counts: bool = True,
    ) -> None:
        """Owe the calls again later, by BACKOFF unless told otherwise; being asked for patience uses up no attempt."""
        if not rows:
            return
        now, pace = datetime.now(UTC), pace or BACKOFF
        with self.state.write_deliveries() as connection:
            for row in rows:
                wait = timedelta(seconds=max(pace[min(row.attempts, len(pace) - 1)], at_least))
                change = update(outbox).where(outbox.c.outbox_id == row.outbox_id, outbox.c.state == "due")
                attempts = row.attempts + int(counts)
                connection.execute(change.values(attempts=attempts, next_attempt_at=now + wait, detail=detail))

    def faulty(self, rows: Sequence[Row[Any]], detail: str) -> None:
        """Try rows that their destination calls faulty a few times more, then give them up."""
        dead = [row for row in rows if row.attempts + 1 >= DEAD_AFTER]
        self.later([row for row in rows if row not in dead], detail)
        self.dead(dead, detail)

    def dead(self, rows: Sequence[Row[Any]], detail: str) -> None:
        """Give calls up, with an alarm."""
        if not rows:
            return
        with self.state.write_deliveries() as connection:
            for row in rows:
                change = update(outbox).where(outbox.c.outbox_id == row.outbox_id)
                connection.execute(change.values(state="dead", attempts=row.attempts + 1, detail=detail, identifier=""))
        for row in rows:
            _log.error(
                "A call (%s) to %s (%s) is given up after %s attempts: %s. Mend it by hand; outbox row %s.",
                *(row.operation, row.platform, row.account, row.attempts + 1, detail, row.outbox_id),
            )

    def mended(self, key: str, detail: str) -> int:
        """Close the calls of an account that were given up and have been mended by hand; returns how many."""
        platform, _, account = key.partition(":")
        dead = (outbox.c.state == "dead", outbox.c.platform == platform, outbox.c.account == account)
        with self.state.write_deliveries() as connection:
            return connection.execute(update(outbox).where(*dead).values(state="mended", detail=detail)).rowcount

    def _withdrawn(self, row: Row[Any]) -> list[dict[str, str]]:
        """What an accepted call of this kind says about withdrawals held at its account."""
        if row.operation != "suppress":
            return []
        identifier = Identifier(cast("IdentifierKind", row.identifier_kind), row.identifier)
        return [
            {
                "platform": row.platform,
                "account": row.account,
                "channel": row.channel,
                "key_hash": keyed_hash(self.state.key, key),
            }
            for key in [exact_key(identifier, f"{row.platform}:{row.account}")]
            if key
        ]
