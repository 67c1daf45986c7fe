"""What a ledger row causes: the calls that are owed to destinations, worked out from state alone.

A row per call target with an id of its own making, so that working out twice what is owed adds nothing. The
memberships whose keys and scope a ledger row covers are removed, and a withdrawal is written to every account that can
hold one, also for people the warehouse does not know.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from dlt_sources.accounts import Account
from dlt_sources.platform import Identifier
from orchestration.activation.destinations import Destinations
from orchestration.activation.keys import exact_key, keyed_hash
from orchestration.activation.ledger import EVERYTHING, LedgerRow, insert_new, one_of, reading
from orchestration.activation.state import State, membership_keys, memberships, outbox, withdrawals

_log = logging.getLogger(__name__)

#: What a person said, or is. Pushed to every account; how an address fares technically (a bounce) says nothing there.
PUSHED = frozenset({"withdrawn", "spam_complaint", "manual_block", "erased", "minor"})
#: Which identifier a channel is withdrawn for.
CHANNEL_IDENTIFIER: Mapping[str, str] = {"email": "email", "sms": "phone", "mms": "phone", "whatsapp": "phone"}
#: A withdrawal we wrote to an account this long before the act is still true there: what comes back is its echo.
ECHO = timedelta(minutes=2)
_HELD = ("pending", "accepted")


class Owing:
    """Works out calls and puts them into the outbox."""

    def __init__(self, state: State, destinations: Destinations) -> None:
        self.state = state
        self.destinations = destinations

    def owe(self, rows: Sequence[LedgerRow]) -> int:
        """Work out and store the calls that ledger rows cause; returns how many were worked out."""
        if not rows:
            return 0
        owed = [*self._removals(rows), *self._withdrawals(rows), *self._lookups(rows)]
        if owed:
            with self.state.write_deliveries() as connection:
                insert_new(connection, outbox, owed)
        return len(owed)

    def owe_again(self, row: LedgerRow, identifiers: Sequence[Identifier]) -> int:
        """Work out the calls of a row whose person the platform has named by now."""
        return self.owe([replace(row, identifiers=tuple(identifiers))])

    def _removals(self, rows: Sequence[LedgerRow]) -> Iterator[dict[str, Any]]:
        by_key: dict[str, list[LedgerRow]] = {}
        for row in rows:
            for key in row.key_hashes:
                by_key.setdefault(key, []).append(row)
        joined = (
            select(memberships, membership_keys.c.key_hash)
            .join_from(memberships, membership_keys)
            .where(memberships.c.status.in_(_HELD))
        )
        by_hand: Counter[str] = Counter()
        with reading(self.state.deliveries) as connection:
            keyed = joined.where(one_of(connection, membership_keys.c.key_hash, by_key))
            for held in connection.execute(keyed).all():
                about = {name: getattr(held, name) for name in ("channel", "topic", "audience", "brand")}
                for row in by_key[held.key_hash]:
                    if row.covers(**about) and not self._removes(held.platform, held.account):
                        by_hand[f"{held.platform}:{held.account}"] += 1
                    elif row.covers(**about):
                        yield self._call(
                            row,
                            "remove",
                            held.platform,
                            held.account,
                            channel=held.channel,
                            target=held.target,
                            record_id=held.record_id,
                            membership_id=held.membership_id,
                        )
        for key, count in by_hand.items():
            _log.error("%s offers no removal: %d members must go there by hand; the plan counts them.", key, count)

    def _removes(self, platform: str, account: str) -> bool:
        """False only where the destination is known and offers no removal."""
        kind = self.destinations.classes.get(f"{platform}:{account}")
        return kind is None or kind.offers("remove")

    def _withdrawals(self, rows: Sequence[LedgerRow]) -> list[dict[str, Any]]:
        candidates: list[tuple[LedgerRow, Account, str, Identifier, str]] = []
        for row in rows:
            # A withdrawal of one topic must not become one of the whole channel at a place that knows no topics.
            if row.kind not in PUSHED or row.topic != EVERYTHING:
                continue
            for account, channel in self.destinations.holding(row.channel):
                if (account.platform, account.name) == (row.platform, row.account):
                    continue
                for identifier in row.identifiers:
                    key = exact_key(identifier, account.key)
                    if key and identifier.kind == CHANNEL_IDENTIFIER.get(channel):
                        key_hash = keyed_hash(self.state.key, key)
                        candidates.append((row, account, channel, identifier, key_hash))
        written = self._written({key_hash for *_, key_hash in candidates})
        never = datetime.min.replace(tzinfo=UTC)
        return [
            self._call(row, "suppress", account.platform, account.name, channel=channel, identifier=identifier)
            for row, account, channel, identifier, key_hash in candidates
            if written.get((account.key, channel, key_hash), never) <= row.occurred_at - ECHO
        ]

    def _lookups(self, rows: Sequence[LedgerRow]) -> Iterator[dict[str, Any]]:
        for row in rows:
            if not row.unresolved:
                continue
            key = f"{row.platform}:{row.account}"
            kind = self.destinations.classes.get(key)
            if kind is None or not kind.offers("identify"):
                _log.error(
                    "An opt-out at %s names only a record, and %s cannot be asked whose it is: nobody is added on "
                    "channel %s until a build has absorbed it.",
                    *(key, row.platform, row.channel),
                )
                continue
            for identifier in row.identifiers:
                if identifier.kind == "record":
                    yield self._call(
                        row, "identify", row.platform, row.account, channel=row.channel, record_id=identifier.value
                    )

    def _written(self, key_hashes: set[str]) -> dict[tuple[str, str, str], datetime]:
        """When withdrawals of some keys were accepted, by account key, channel and key."""
        found: dict[tuple[str, str, str], datetime] = {}
        with reading(self.state.deliveries) as connection:
            known = select(withdrawals).where(one_of(connection, withdrawals.c.key_hash, key_hashes))
            for row in connection.execute(known):
                found[f"{row.platform}:{row.account}", row.channel, row.key_hash] = row.accepted_at
        return found

    @staticmethod
    def _call(
        row: LedgerRow,
        operation: str,
        platform: str,
        account: str,
        *,
        channel: str,
        target: str = "",
        record_id: str = "",
        membership_id: str = "",
        identifier: Identifier | None = None,
    ) -> dict[str, Any]:
        kind, value = (identifier.kind, identifier.value) if identifier else ("", "")
        parts = (row.ledger_id, operation, platform, account, channel, target, record_id, membership_id, kind, value)
        now = datetime.now(UTC)
        return {
            "outbox_id": hashlib.sha256("\n".join(parts).encode()).hexdigest(),
            "ledger_id": row.ledger_id,
            "operation": operation,
            "reason": row.kind,
            "platform": platform,
            "account": account,
            "channel": channel,
            "target": target,
            "record_id": record_id,
            "identifier_kind": kind,
            "identifier": value,
            "membership_id": membership_id,
            "state": "due",
            "attempts": 0,
            "next_attempt_at": now,
            "detail": "",
            "created_at": now,
        }
