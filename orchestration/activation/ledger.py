"""The suppression ledger: what a landed webhook forbids, as rows that the gate blocks on until a build knows them.

Ids derive from platform, account, the event's own id and the scope, so that a repeat finds its row already there and
has no second effect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import JSON, ColumnElement, Connection, Engine, Row, Table, cast, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from dlt_sources.accounts import Account
from dlt_sources.platform import Event, Identifier
from orchestration.activation.catalogue import NO_CHANNEL
from orchestration.activation.keys import keyed_hash, suppression_keys
from orchestration.activation.state import State, ledger, ledger_keys
from orchestration.landing.endpoints import Endpoints
from orchestration.landing.files import Landed
from orchestration.landing.leaving import Catalogue, Leaving

#: The kind of a row that takes a person out of one audience.
LEFT = "left"
#: Scope of a row that covers everything; for brands too: an opt-out counts for every brand of the installation.
EVERYTHING = "*"
#: Channels that a withdrawal of another channel covers as well.
COVERS: Mapping[str, tuple[str, ...]] = {"sms": ("sms", "mms")}
#: Ids handled in one transaction, so that the speed lane never waits long for its turn to write.
_PART = 2_000
_COLUMNS = tuple(column.name for column in ledger.columns if column.name != "absorbed_build")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One reason not to contact. `key_hashes` are stored; `identifiers` stay in memory for the calls it causes."""

    ledger_id: str
    landing_id: str
    platform: str
    account: str
    event_name: str
    kind: str
    channel: str
    topic: str
    occurred_at: datetime
    recorded_at: datetime
    brand: str = EVERYTHING
    audience: str = EVERYTHING
    unresolved: bool = False
    actor: str = ""
    reason: str = ""
    key_hashes: tuple[str, ...] = ()
    identifiers: tuple[Identifier, ...] = field(default=(), repr=False)

    def covers(self, *, channel: str, topic: str, audience: str, brand: str) -> bool:
        """True when this row forbids that channel, topic, audience and brand.

        An audience that tells a destination whom to leave alone (channel none) is kept from nobody but the erased.
        """
        if channel == NO_CHANNEL and self.kind != "erased":
            return False
        return (
            (self.channel == EVERYTHING or channel in COVERS.get(self.channel, (self.channel,)))
            and self.topic in (EVERYTHING, topic)
            and self.audience in (EVERYTHING, audience)
            and self.brand in (EVERYTHING, brand)
        )


class Reader:
    """Turns landed requests into ledger rows; the worker and the gate read with the same one."""

    def __init__(self, endpoints: Endpoints, leaving: Leaving, key: bytes) -> None:
        self.endpoints = endpoints
        self.leaving = leaving
        self._key = key

    def rows(self, landed: Landed, catalogue: Catalogue | None = None) -> list[LedgerRow]:
        """What a request forbids; raises when it cannot be read, since it may be an opt-out."""
        catalogue = catalogue or self.leaving.current()
        account = self.endpoints.account(landed)
        rows: list[LedgerRow] = []
        for event in self.endpoints.parse(landed).events:
            if event.effect is not None:
                effect = event.effect
                rows.append(self._row(landed, account, event, effect.kind, effect.channel, effect.topic))
            rows += [
                self._row(landed, account, event, LEFT, scope.channel, EVERYTHING, scope.audience)
                for scope in catalogue.scopes.get(event.name, ())
            ]
        return rows

    def hashes(self, identifiers: Collection[Identifier], account: Account) -> tuple[str, ...]:
        """The keyed hashes of every key of some identifiers."""
        keys = {key for identifier in identifiers for key in _keys(identifier, account)}
        return tuple(sorted(keyed_hash(self._key, key) for key in keys))

    def _row(
        self,
        landed: Landed,
        account: Account,
        event: Event,
        kind: str,
        channel: str,
        topic: str,
        audience: str = EVERYTHING,
    ) -> LedgerRow:
        identity = f"{account.key}\n{event.id}\n{event.name}\n{kind}\n{channel}\n{topic}\n{audience}"
        named = any(i.kind in ("email", "phone") and _keys(i, account) for i in event.identifiers)
        return LedgerRow(
            ledger_id=hashlib.sha256(identity.encode()).hexdigest(),
            landing_id=landed.id,
            platform=account.platform,
            account=account.name,
            event_name=event.name,
            kind=kind,
            channel=channel,
            topic=topic,
            audience=audience,
            occurred_at=event.occurred_at,
            recorded_at=landed.received_at,
            unresolved=not named and any(i.kind == "record" for i in event.identifiers),
            actor=event.actor,
            reason=event.reason,
            key_hashes=self.hashes(event.identifiers, account),
            identifiers=event.identifiers,
        )


def record(state: State, rows: Sequence[LedgerRow]) -> list[LedgerRow]:
    """Write rows that are not there yet; returns those whose effects belong to this landing.

    A row that another landing wrote first is a repeat: its effects are that landing's. A row that this landing wrote
    before a crash is given out again, because its effects may be missing.
    """
    if not rows:
        return []
    first = {row.ledger_id: row for row in reversed(rows)}
    with state.write_ledger() as connection:
        insert_new(connection, ledger, [_stored(row) for row in first.values()])
        columns = select(ledger.c.ledger_id, ledger.c.landing_id)
        stored = connection.execute(columns.where(one_of(connection, ledger.c.ledger_id, first)))
        owners = {one.ledger_id: one.landing_id for one in stored}
        mine = [row for row in first.values() if owners[row.ledger_id] == row.landing_id]
        insert_new(
            connection,
            ledger_keys,
            [{"key_hash": key, "ledger_id": row.ledger_id} for row in mine for key in row.key_hashes],
        )
    return mine


def resolve(state: State, ledger_id: str, key_hashes: Sequence[str]) -> None:
    """Add the keys that the platform named for an unresolved row; additions on its channel may go on."""
    with state.write_ledger() as connection:
        insert_new(connection, ledger_keys, [{"key_hash": key, "ledger_id": ledger_id} for key in key_hashes])
        connection.execute(update(ledger).where(ledger.c.ledger_id == ledger_id).values(unresolved=False))


def absorb(state: State, build_id: int, landing_ids: Collection[str]) -> int:
    """Mark the rows of those landings as known to a build's decisions; returns how many were not before.

    From then on plans of this build or a later one no longer meet them at the gate.
    """
    absorbed = 0
    for some in chunks(list(landing_ids)):
        with state.write_ledger() as connection:
            unknown = update(ledger).where(ledger.c.absorbed_build.is_(None))
            statement = unknown.where(one_of(connection, ledger.c.landing_id, some))
            absorbed += connection.execute(statement.values(absorbed_build=build_id)).rowcount
    return absorbed


def stored_row(state: State, ledger_id: str) -> LedgerRow | None:
    """A row as stored, with its keys; identifiers are not stored and so are empty."""
    with reading(state.ledger) as connection:
        found = connection.execute(select(ledger).where(ledger.c.ledger_id == ledger_id)).first()
        if found is None:
            return None
        keys = connection.execute(select(ledger_keys.c.key_hash).where(ledger_keys.c.ledger_id == ledger_id))
        return row_of(found, tuple(key.key_hash for key in keys))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, and so waits for no writer."""
    with engine.connect() as connection:
        yield connection.execution_options(readonly=True)


def row_of(stored: Row[Any], key_hashes: tuple[str, ...] = ()) -> LedgerRow:
    """A ledger row out of its columns."""
    return LedgerRow(**{name: getattr(stored, name) for name in _COLUMNS}, key_hashes=key_hashes)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose primary key is not there yet."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))


def chunks(values: Sequence[str]) -> Iterator[list[str]]:
    """Parts small enough for one statement."""
    rest = iter(values)
    while part := list(islice(rest, _PART)):
        yield part


def one_of(connection: Connection, column: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
    """The condition that a text column is one of any number of values, bound as a single JSON array."""
    array = orjson.dumps(list(values)).decode()
    if connection.dialect.name == "postgresql":
        return column.in_(select(func.json_array_elements_text(cast(array, JSON)).column_valued("value")))
    return column.in_(select(func.json_each(array).table_valued("value").c.value))


def _keys(identifier: Identifier, account: Account) -> tuple[str, ...]:
    return suppression_keys(identifier, account.key, account.default_region)


def _stored(row: LedgerRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS}
