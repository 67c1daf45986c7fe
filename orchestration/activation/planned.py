"""Plan files as apply reads them: rows in the order they are sent, in the groups that one call can take."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import orjson
import pyarrow.parquet as pq

from dlt_sources.platform import Identifier, IdentifierKind, Operation, Row
from orchestration.activation.gate import GateRow

_ROWS = 20_000


class PlannedRow(NamedTuple):
    """One row of a plan file; columns in the file's order."""

    row_id: str
    op: str
    audience: str
    platform: str
    account: str
    target: str
    record_id: str | None
    person_id: str
    channel: str
    topic: str
    brand: str
    identifier_kind: str | None
    identifier: str | None
    traits: str | None
    payload_hash: str
    reason: str
    suppression_keys: list[str]
    build_id: int

    @property
    def named(self) -> Identifier | None:
        """The identifier that the call needs, if it needs one."""
        if self.identifier_kind is None or self.identifier is None:
            return None
        return Identifier(cast("IdentifierKind", self.identifier_kind), self.identifier)

    def as_row(self) -> Row:
        """The row as a destination takes it."""
        traits = orjson.loads(self.traits) if self.traits else {}
        return Row(row_id=self.row_id, record_id=self.record_id, identifier=self.named, traits=traits)

    def as_gate_row(self) -> GateRow:
        """The row as the gate judges it."""
        return GateRow(
            row_id=self.row_id,
            channel=self.channel,
            topic=self.topic,
            audience=self.audience,
            brand=self.brand,
            key_hashes=self.suppression_keys,
        )


@dataclass(frozen=True, slots=True)
class Call:
    """Rows that one call takes: one operation on one target (or, for withdrawals, one channel)."""

    operation: Operation
    target: str
    channel: str
    rows: list[PlannedRow]


def operation(op: str) -> Operation:
    """The destination's operation for a row's op: an update is an add again, with the new traits."""
    return "add" if op == "update" else cast("Operation", op)


def calls(file: Path, sizes: Mapping[Operation, int]) -> Iterator[Call]:
    """Read a plan file as calls no larger than `sizes` (1 where it names none), in the file's order."""
    pending: list[PlannedRow] = []
    for row in _rows(file):
        if pending and (not _together(pending[-1], row) or len(pending) >= sizes.get(operation(row.op), 1)):
            yield _call(pending)
            pending = []
        pending.append(row)
    if pending:
        yield _call(pending)


def some(file: Path, row_ids: Collection[str]) -> list[PlannedRow]:
    """The rows with these ids, in the file's order."""
    wanted = set(row_ids)
    return [row for row in _rows(file) if row.row_id in wanted]


def grouped(rows: list[PlannedRow]) -> Iterator[Call]:
    """Rows of one plan as calls of any size."""
    groups: dict[tuple[Operation, str, str], list[PlannedRow]] = {}
    for row in rows:
        groups.setdefault((operation(row.op), row.target, row.channel), []).append(row)
    for members in groups.values():
        yield _call(members)


def _rows(file: Path) -> Iterator[PlannedRow]:
    with pq.ParquetFile(file) as content:
        for batch in content.iter_batches(batch_size=_ROWS, columns=list(PlannedRow._fields)):
            columns = [column.to_pylist() for column in batch.columns]
            yield from map(PlannedRow._make, zip(*columns, strict=True))


def _together(one: PlannedRow, other: PlannedRow) -> bool:
    return (operation(one.op), one.target, one.channel) == (operation(other.op), other.target, other.channel)


def _call(rows: list[PlannedRow]) -> Call:
    return Call(operation(rows[0].op), rows[0].target, rows[0].channel, rows)
