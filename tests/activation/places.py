"""Destinations that only remember what they were told, and state with members in it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from sqlalchemy import select

from dlt_sources.accounts import Account
from dlt_sources.platform import Destination, Identifier, Operation, Outcome, Row, Target
from orchestration.activation.destinations import Destinations
from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import Reader
from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import State, ledger, ledger_keys, membership_keys, memberships, outbox
from orchestration.home import Home
from orchestration.landing.endpoints import Endpoints
from orchestration.landing.files import Landing
from orchestration.landing.leaving import Leaving

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Calls:
    """What happened at the destinations, in order, and what they are told to do about it."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str, str, tuple[str, ...]]] = []
        self.at: list[float] = []
        self.trouble: dict[tuple[str, str], Callable[[Sequence[str]], None]] = {}
        self.outcome: Callable[[str, str, str], str] = lambda _account, _operation, _what: "accepted"
        self.records: dict[str, Sequence[Identifier]] = {}
        self._lock = threading.Lock()

    def make(self, account: str, operation: str, about: str, what: Sequence[str]) -> None:
        with self._lock:
            self.made.append((account, operation, about, tuple(what)))
            self.at.append(time.monotonic())
        if (account, operation) in self.trouble:
            self.trouble[account, operation](what)

    def of(self, account: str, operation: str) -> list[str]:
        return [one for made in self.made if made[:2] == (account, operation) for one in made[3]]


class Place(Destination):
    """A destination that does everything at once and remembers it."""

    calls: ClassVar[Calls]
    batch_size: ClassVar[Mapping[Operation, int]] = {"add": 100, "remove": 4, "suppress": 4}
    target_kinds = ("list",)
    channels = ("email", "sms")

    def remove(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        return self._make("remove", str(target), rows)

    def suppress(self, channel: str, rows: Sequence[Row]) -> Sequence[Outcome]:
        return self._make("suppress", channel, rows)

    def identify(self, record_ids: Sequence[str]) -> Mapping[str, Sequence[Identifier]]:
        self.calls.make(self.account.key, "identify", "", record_ids)
        return {one: self.calls.records.get(one, ()) for one in record_ids}

    def _make(self, operation: str, about: str, rows: Sequence[Row]) -> list[Outcome]:
        whats = [str(row.record_id or (row.identifier and row.identifier.value)) for row in rows]
        self.calls.make(self.account.key, operation, about, whats)
        result = []
        for row, what in zip(rows, whats, strict=True):
            status = self.calls.outcome(self.account.key, operation, what)
            result.append(Outcome(row_id=row.row_id, status=status))  # type: ignore[arg-type]
        return result


class Texter(Place):
    """A destination that holds withdrawals of texts and no lists."""

    channels = ("sms",)


def places(home: Home, calls: Calls) -> Destinations:
    """Remembering destinations for the three accounts of a home; Twilio's holds texts only."""
    kinds = {
        "klaviyo:main": type("Klaviyo", (Place,), {"calls": calls}),
        "shopify:main": type("Shopify", (Place,), {"calls": calls}),
        "twilio:main": type("Twilio", (Texter,), {"calls": calls}),
    }
    endpoints = Endpoints.load(home.folder)
    accounts = {key: endpoints.by_name[tuple(key.split(":"))].account for key in kinds}  # type: ignore[index]

    def opened(account: Account) -> Destination:
        return kinds[account.key](account)

    return Destinations(kinds, accounts, opened)


def reader(home: Home, state: State) -> Reader:
    """The reader of a home's landed requests."""
    return Reader(Endpoints.load(home.folder), Leaving(home.published), state.key)


def worker(home: Home, state: State, calls: Calls, lease: float = 10.0) -> Worker:
    """A speed lane's worker whose calls are remembered."""
    return Worker(Landing(home.landing), state, reader(home, state), places(home, calls), lease=lease)


def add_member(
    state: State,
    record_id: str,
    *keys: str,
    audience: str = "lapsed",
    channel: str = "email",
    topic: str = "news",
    brand: str = "acme",
    platform: str = "klaviyo",
    status: str = "accepted",
) -> str:
    """A membership that a destination has accepted, found by these suppression keys."""
    membership_id = f"{audience}/{platform}/{record_id}"
    with state.write_deliveries() as connection:
        connection.execute(
            memberships.insert().values(
                membership_id=membership_id,
                audience=audience,
                platform=platform,
                account="main",
                target=f"list:{audience}",
                record_id=record_id,
                person_id=f"p_{record_id}",
                brand=brand,
                channel=channel,
                topic=topic,
                payload_hash="",
                status=status,
                reason="",
                build_id=1,
                changed_at=NOW,
            )
        )
        connection.execute(
            membership_keys.insert(),
            [{"key_hash": keyed_hash(state.key, key), "membership_id": membership_id} for key in keys],
        )
    return membership_id


def members(state: State) -> dict[str, str]:
    """Membership id → status."""
    with state.deliveries.connect() as connection:
        return {
            row.membership_id: row.status
            for row in connection.execute(select(memberships.c.membership_id, memberships.c.status))
        }


def owed(state: State, column: str = "state") -> list[str]:
    """A column of all outbox rows."""
    with state.deliveries.connect() as connection:
        return [getattr(row, column) for row in connection.execute(select(outbox).order_by(outbox.c.created_at))]


def ledger_rows(state: State) -> list[dict[str, object]]:
    """The ledger's rows."""
    with state.ledger.connect() as connection:
        return [dict(row) for row in connection.execute(select(ledger)).mappings()]


def ledger_hashes(state: State) -> set[str]:
    """Every key hash of the ledger."""
    with state.ledger.connect() as connection:
        return {row.key_hash for row in connection.execute(select(ledger_keys))}


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something to become true, or fail."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.005)


def state_of(folder: Path) -> State:
    """A state in a folder of its own."""
    return State(folder)
