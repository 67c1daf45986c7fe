"""How each registry stands: what was compared last, until when that counts, and whom it keeps waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import duckdb

from orchestration.home import Home
from orchestration.inputs import receipts, rules
from orchestration.inputs.receipts import Receipt
from orchestration.inputs.rules import Registry
from orchestration.warehouse import has_table

#: open: whoever it guards may be decided on. some: only those who were compared themselves. not_asked: no audience asks
#: what it guards. not_needed: it closes nothing by itself, only what it has found.
State = Literal["open", "some", "closed", "not_asked", "not_needed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One registry. `until` is of its whole list; `compared` counts identifiers with a fresh comparison of their own.

    `waiting` counts people whom the published build kept out for want of one, `unloaded` receipts no build knows yet.
    """

    registry: str
    channels: Sequence[str]
    categories: Sequence[str]
    asked: Sequence[str]
    state: State
    last_checked_on: date | None
    until: datetime | None
    compared: int
    waiting: int
    unloaded: int

    @property
    def keeps_closed(self) -> bool:
        """True when a comparison is wanting."""
        return self.state == "closed" or (self.state == "some" and self.waiting > 0)

    @property
    def told(self) -> str:
        """What is wanting, and what to do, in words."""
        last = f"last compared on {self.last_checked_on}" if self.last_checked_on else "never compared"
        if self.unloaded:
            return f"{self.registry} ({last}): audiences run takes its newest receipt into account."
        whom = f"{self.waiting:,} people" if self.waiting else "everybody in the United States"
        return (
            f"{self.registry} ({last}) keeps closed: {', '.join(self.asked)}. Compare {whom}, then "
            f"audiences registry import FILE --registry {self.registry} --checked-on DAY --actor YOU"
        )


@dataclass(frozen=True, slots=True)
class _Published:
    """What the published build knows: per registry, in the order of the fields below."""

    max_days: int
    last: dict[str, datetime]
    whole: dict[str, datetime]
    compared: dict[str, int]
    waiting: dict[str, int]
    asked: dict[str, list[str]]
    loaded: frozenset[str]


def standing(home: Home, connection: duckdb.DuckDBPyConnection | None, now: datetime) -> list[Standing]:
    """Every registry as it stands now; `connection` is the published copy, None before the first build."""
    known = _published(connection, now) if connection else None
    kept = [one for one in receipts.kept(home) if not one.retracted]
    return [_of(one, known, [receipt for receipt in kept if receipt.registry == one.name], now) for one in _all()]


def wanting(found: Sequence[Standing]) -> Iterator[str]:
    """What stays closed for want of a comparison, in words."""
    yield from (one.told for one in found if one.keeps_closed)


def _all() -> list[Registry]:
    return list(rules.registries().values())


def _of(registry: Registry, known: _Published | None, kept: Sequence[Receipt], now: datetime) -> Standing:
    name = registry.name
    counts_for = timedelta(days=min(registry.max_days, known.max_days if known else rules.default_max_days()))
    unloaded = [one for one in kept if known is None or one.import_id not in known.loaded]
    whole = [*([known.whole[name]] if known and name in known.whole else [])]
    last = [*([known.last[name]] if known and name in known.last else []), *(one.compared_at for one in unloaded)]
    until = max(whole, default=None)
    asked = known.asked.get(name, []) if known else []
    compared = known.compared.get(name, 0) if known else 0
    return Standing(
        registry=name,
        channels=registry.channels,
        categories=registry.categories,
        asked=asked,
        state=_state(registry, asked, until + counts_for if until else None, compared, now),
        last_checked_on=max(last).date() if last else None,
        until=until + counts_for if until else None,
        compared=compared,
        waiting=known.waiting.get(name, 0) if known else 0,
        unloaded=len(unloaded),
    )


def _state(registry: Registry, asked: Sequence[str], until: datetime | None, compared: int, now: datetime) -> State:
    if not registry.needed:
        return "not_needed"
    if until and until > now:
        return "open"
    if not asked:
        return "not_asked"
    return "some" if compared else "closed"


def _published(connection: duckdb.DuckDBPyConnection, now: datetime) -> _Published | None:
    """None where the published build is of a version that knew no registries."""
    tables = ("registry_receipts", "registry_guards")
    if not all(has_table(connection, "intermediate", name) for name in tables):
        return None
    days = connection.execute("SELECT policies['registry_max_days']::INTEGER FROM marts.clock").fetchone()
    max_days = int(days[0]) if days and days[0] is not None else rules.default_max_days()
    receipts_of = "FROM intermediate.registry_receipts"
    last = connection.execute(f"SELECT registry, max(compared_at) {receipts_of} GROUP BY 1").fetchall()
    whole = connection.execute(
        f"SELECT registry, max(compared_at) {receipts_of} WHERE identifier IS NULL GROUP BY 1"
    ).fetchall()
    compared = connection.execute(
        f"SELECT registry, count(DISTINCT identifier) {receipts_of} "
        "WHERE identifier IS NOT NULL AND NOT is_domain AND compared_at > $1 GROUP BY 1",
        [now - timedelta(days=max_days)],
    ).fetchall()
    waiting = connection.execute(
        "SELECT guards.registry, count(DISTINCT decisions.person_id) FROM marts.decisions AS decisions "
        "JOIN intermediate.registry_guards AS guards USING (question_id) "
        "WHERE list_contains(decisions.reason_codes, 'registry_stale') "
        "AND NOT coalesce(guards.stale_at > decisions.decided_as_of, false) GROUP BY 1"
    ).fetchall()
    asked = connection.execute(
        "SELECT guards.registry, "
        "list_sort(list(DISTINCT questions.channel || ' about ' || questions.product_category)) "
        "FROM intermediate.registry_guards AS guards JOIN marts.questions AS questions USING (question_id) GROUP BY 1"
    ).fetchall()
    loaded = connection.execute("SELECT import_id FROM raw_audiences.registry_imports").fetchall()
    return _Published(
        max_days=max_days,
        last=_in_utc(last),
        whole=_in_utc(whole),
        compared=dict(compared),
        waiting=dict(waiting),
        asked=dict(asked),
        loaded=frozenset(import_id for (import_id,) in loaded),
    )


def _in_utc(rows: Sequence[tuple[str, datetime]]) -> dict[str, datetime]:
    return {name: at.astimezone(UTC) for name, at in rows}
