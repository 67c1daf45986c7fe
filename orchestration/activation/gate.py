"""The gate: asked before every call, and again when it returns, whom of its rows nobody may contact any more.

It looks where an opt-out can be, in the order in which it travels: landing `ready/`, then `claimed/`, the ledger last.
Files only move forward, so an opt-out that was acknowledged before the question began is met at one of them. What it
cannot read closes it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from dlt_sources.errors import AudiencesError, GateClosed
from orchestration.activation.ledger import LEFT, LedgerRow, Reader, one_of, reading, row_of
from orchestration.activation.state import State, ledger, ledger_keys
from orchestration.home import Home
from orchestration.landing.endpoints import Endpoints
from orchestration.landing.files import Landing, read
from orchestration.landing.leaving import Catalogue, Leaving

#: Reason of a row that waits because an opt-out on its channel names only a record whose keys are not known yet.
UNRESOLVED = "unresolved_opt_out"
#: Where several reasons hold, the first of these is told.
_RANK = {
    kind: rank
    for rank, kind in enumerate(
        (
            *("erased", "manual_block", "minor", "invalid_address", "hard_bounce", "carrier_block"),
            *("spam_complaint", "withdrawn", LEFT, UNRESOLVED),
        )
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """One row of a call: what it is about, and every keyed hash under which its person may be suppressed."""

    row_id: str
    channel: str
    topic: str
    audience: str
    brand: str
    key_hashes: Sequence[str]


class Gate:
    """The gate of one installation; may be asked from several threads."""

    def __init__(self, landing: Landing, state: State, reader: Reader) -> None:
        self.landing = landing
        self.state = state
        self.reader = reader
        self._lock = threading.Lock()
        self._read: dict[str, Sequence[LedgerRow]] = {}
        self._catalogue = Catalogue()

    @classmethod
    def of(cls, home: Home, state: State) -> Gate:
        """The gate of a home, with the accounts that its configuration names now."""
        landing = Landing(home.landing)
        landing.create()
        return cls(landing, state, Reader(Endpoints.load(home.folder), Leaving(home.published), state.key))

    def blocked(self, rows: Sequence[GateRow], build_id: int) -> dict[str, str]:
        """Row id → reason, for the rows that must not be sent; `build_id` is the build that their plan came from.

        Raises GateClosed when anything that could hold an opt-out cannot be read: then nothing may be sent.
        """
        try:
            pending = self._pending()
            return self._matches(rows, [*pending, *self._stored(rows, build_id)])
        except (OSError, SQLAlchemyError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise GateClosed(f"The gate is closed: the landing zone or the ledger cannot be read ({reason}).") from None
        except AudiencesError as error:
            raise GateClosed(f"The gate is closed: {error}") from None
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            name = type(error).__name__
            raise GateClosed(f"The gate is closed: a waiting webhook breaks its reader ({name}).") from None

    def _pending(self) -> list[LedgerRow]:
        """What requests that are not settled yet forbid."""
        with self._lock:
            catalogue = self.reader.leaving.current()
            if catalogue.version != self._catalogue.version:
                self._read.clear()
                self._catalogue = catalogue
            seen: dict[str, Sequence[LedgerRow]] = {}
            for path in self.landing.pending("speed"):
                known = self._read.get(path.name)
                if known is None:
                    try:
                        known = [row for landed in read(path) for row in self.reader.rows(landed, catalogue)]
                    except FileNotFoundError:  # it has moved on, to where we look next
                        continue
                seen[path.name] = known
            self._read = seen
            return [row for known in seen.values() for row in known]

    def _stored(self, rows: Sequence[GateRow], build_id: int) -> Iterator[LedgerRow]:
        """The ledger's rows that name one of the keys, or that block a channel until they are resolved."""
        unknown = or_(ledger.c.absorbed_build.is_(None), ledger.c.absorbed_build > build_id)
        wanted = {key for row in rows for key in row.key_hashes}
        joined = select(ledger_keys.c.key_hash, *ledger.columns).join_from(ledger_keys, ledger)
        with reading(self.state.ledger) as connection:
            found = connection.execute(joined.where(one_of(connection, ledger_keys.c.key_hash, wanted), unknown))
            for stored in found:
                yield row_of(stored, (stored.key_hash,))
            waiting = connection.execute(select(ledger).where(ledger.c.unresolved, unknown))
            for stored in waiting:
                yield row_of(stored)

    @staticmethod
    def _matches(rows: Sequence[GateRow], forbidding: Sequence[LedgerRow]) -> dict[str, str]:
        by_key: dict[str, list[LedgerRow]] = defaultdict(list)
        for one in forbidding:
            for key in one.key_hashes:
                by_key[key].append(one)
        unresolved = [one for one in forbidding if one.unresolved]
        blocked: dict[str, str] = {}
        for row in rows:
            reasons = {one.kind for key in row.key_hashes for one in by_key.get(key, ()) if _covers(one, row)}
            if any(_covers(one, row) for one in unresolved):
                reasons.add(UNRESOLVED)
            if reasons:
                blocked[row.row_id] = min(reasons, key=lambda kind: (_RANK.get(kind, 0), kind))
        return blocked


def _covers(one: LedgerRow, row: GateRow) -> bool:
    return one.covers(channel=row.channel, topic=row.topic, audience=row.audience, brand=row.brand)
