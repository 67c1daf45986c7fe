"""What waits until a person decides, and what people have decided.

A verdict is a row of state that is never changed; builds load it, and the models read it there. A verdict of stop
holds at once, as any stop does: it is landed in the speed lane after its row is written, so that no build can know the
landing without the verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import duckdb
import pyarrow as pa
from sqlalchemy import insert, select

from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Identifier
from orchestration.activation import blocking
from orchestration.activation.blocking import Blocked
from orchestration.activation.evidence import mask
from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import reading
from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import State, reviews
from orchestration.home import Home
from orchestration.landing.by_hand import Order
from orchestration.warehouse import has_table, published

Verdict = Literal["stop", "no_stop"]
#: Digits that may be a number, and addresses, in what somebody wrote.
_PERSONAL = re.compile(r"\S+@\S+|\+?\d[\d .()-]{5,}\d")
_TOLD = "audiences review list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Something held until a person decides: whose, on which channel ("*" = every one), since when, and its words.

    A `vocabulary` row is a value that nobody has read yet: it counts as an opt-out until the vocabulary has it.
    """

    id: str
    kind: Literal["held", "vocabulary"]
    platform: str
    account: str
    channel: str
    identifier: str
    words: str
    since: datetime
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A verdict that was taken, or had been before (`is_repeat`); `blocked` says what a stop came to at once."""

    id: str
    verdict: Verdict
    is_repeat: bool
    blocked: Blocked | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    """A held reason of the published build with everything that a stop has to name."""

    channel: str
    identifiers: tuple[Identifier, ...]


def waiting(home: Home, state: State, *, show: bool = False) -> list[Waiting]:
    """What waits, oldest first, as the published build and the verdicts since then have it; masked unless `show`."""
    if not home.published_warehouse.exists():
        return []
    with duckdb.connect(str(home.published_warehouse), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return waiting_in(connection, state, show=show)


def waiting_in(connection: duckdb.DuckDBPyConnection, state: State, *, show: bool = False) -> list[Waiting]:
    """The same of an open published copy, whose session speaks UTC."""
    if not has_table(connection, "intermediate", "suppressions"):
        return []
    held = connection.execute(
        "SELECT suppression_id, 'held', platform, account, coalesce(said_on, '*'), "
        "coalesce(identifier, told, record_id), coalesce(words, source), effective_at, 1 "
        "FROM intermediate.suppressions WHERE kind = 'held_for_review' AND ended_at IS NULL ORDER BY effective_at, 1"
    ).fetchall()
    unread = connection.execute(
        "SELECT concat_ws(':', 'value', platform, coalesce(evidence ->> '$.value', '')), 'vocabulary', platform, "
        "min(account), min(channel), '', coalesce(evidence ->> '$.value', ''), min(recorded_at), count(*) "
        "FROM intermediate.consent_events WHERE method = 'unseen_value' GROUP BY ALL ORDER BY 8, 1"
    ).fetchall()
    decided = _verdicts(state, [row[0] for row in held])
    found = [
        Waiting(
            id=row[0], kind=row[1], platform=row[2], account=row[3], channel=row[4], identifier=row[5] or "",
            words=row[6], since=row[7], times=row[8],
        )
        for row in [*held, *unread]
        if row[0] not in decided
    ]  # fmt: skip
    return found if show else [_masked(one) for one in found]


def decide(
    home: Home,
    state: State,
    worker: Callable[[], Worker],
    reviewed_id: str,
    verdict: Verdict,
    *,
    actor: str,
    reason: str,
) -> Decided:
    """Keep a verdict; a stop holds when this returns. The same verdict again writes no second row.

    Raises ConfigurationError for an id that nothing held has, and for taking back a stop.
    """
    if not actor.strip() or not reason.strip():
        raise ConfigurationError("--actor and --reason must say who decides and why: both are kept.")
    held = _held(home, reviewed_id)
    former = _verdicts(state, [reviewed_id]).get(reviewed_id, set())
    if verdict == "no_stop" and "stop" in former:
        raise ConfigurationError(
            f"{reviewed_id} was read as a stop already, and a stop is not taken back here: only a later consent of the "
            "person opens the channel again."
        )
    now = datetime.now(UTC)
    if verdict not in former:
        named = held.identifiers[0] if held.identifiers else None
        row = {
            "review_id": uuid4().hex,
            "reviewed_id": reviewed_id,
            "verdict": verdict,
            "key_hash": keyed_hash(state.key, f"{named.kind}:{named.value}") if named else "",
            "actor": actor.strip(),
            "reason": reason.strip(),
            "recorded_at": now,
        }
        with state.write_ledger() as connection:
            connection.execute(insert(reviews).values(row))
    blocked = None
    if verdict == "stop" and held.identifiers:
        order = Order(act="stop", channel=held.channel, topic="*", actor=actor.strip(), reason=reason.strip(), at=now)
        speed = worker()
        try:
            blocked = blocking.suppress(speed, order, held.identifiers)
        finally:
            speed.close()
    return Decided(id=reviewed_id, verdict=verdict, is_repeat=verdict in former, blocked=blocked)


def load(state: State, connection: duckdb.DuckDBPyConnection) -> int:
    """Load the verdicts that the raw table lacks; returns how many."""
    return load_table(state, connection, "reviews", ("review_id", "reviewed_id", "verdict", "actor", "reason"))


def load_table(state: State, connection: duckdb.DuckDBPyConnection, name: str, texts: Sequence[str]) -> int:
    """Load the rows of a table of acts that its raw table lacks, by its first column; nothing is ever taken out."""
    table = {one.name: one for one in reviews.metadata.sorted_tables}[name]
    with reading(state.ledger) as store:
        rows = store.execute(select(*(table.c[text] for text in texts), table.c.recorded_at)).all()
    columns = list(zip(*rows, strict=True)) if rows else [()] * (len(texts) + 1)
    kinds: dict[str, pa.DataType] = dict.fromkeys(texts, pa.string())
    schema = pa.schema(kinds | {"recorded_at": pa.timestamp("us", tz="UTC")})
    given = pa.table(
        [pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)], schema=schema
    )
    connection.register("given", given)
    try:
        loaded = connection.execute(
            f"INSERT INTO raw_audiences.{name} BY NAME FROM given ANTI JOIN raw_audiences.{name} USING ({texts[0]})"
        ).fetchone()
    finally:
        connection.unregister("given")
    return int(loaded[0]) if loaded else 0


def _held(home: Home, reviewed_id: str) -> _Held:
    """What the published build holds under this id, with whom a stop names."""
    if reviewed_id.startswith("value:"):
        raise ConfigurationError(
            f"{reviewed_id} is a value that the vocabulary lacks: add its row to dbt_project/seeds/platform_values.csv "
            "with what it means and where that is written; the next build reads it so."
        )
    with published(home) as connection:
        row = None
        if has_table(connection, "intermediate", "suppressions"):
            row = connection.execute(
                "SELECT said_on, identifier_type, coalesce(identifier, told), platform, account, record_id "
                "FROM intermediate.suppressions WHERE suppression_id = $1 AND kind = 'held_for_review'",
                [reviewed_id],
            ).fetchone()
        if row is None:
            raise ConfigurationError(f"Nothing is held under {reviewed_id!r}: `{_TOLD}` shows what waits.")
        said_on, kind, identifier, *record = row
        named = [(kind, identifier)] if identifier else []
        if not identifier or said_on is None:
            named += _of_person(connection, identifier, record)
    known = dict.fromkeys(Identifier(one, value) for one, value in named if one in ("email", "phone"))
    return _Held(said_on or "*", tuple(known))


def _of_person(
    connection: duckdb.DuckDBPyConnection, identifier: str | None, record: Sequence[str | None]
) -> list[tuple[str, str]]:
    """Every identifier of whoever has this one, or this record."""
    return connection.execute(
        "SELECT DISTINCT identifier_type, identifier FROM intermediate.person_keys WHERE person_id IN ("
        "SELECT person_id FROM intermediate.person_keys WHERE identifier = $1 UNION "
        "SELECT person_id FROM intermediate.person_records WHERE platform = $2 AND account = $3 AND record_id = $4)",
        [identifier, *record],
    ).fetchall()


def _verdicts(state: State, ids: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    wanted = set(ids)
    with reading(state.ledger) as connection:
        for row in connection.execute(select(reviews.c.reviewed_id, reviews.c.verdict)):
            if row.reviewed_id in wanted:
                found.setdefault(row.reviewed_id, set()).add(row.verdict)
    return found


def _masked(one: Waiting) -> Waiting:
    words = _PERSONAL.sub(lambda found: mask(found.group()), one.words)
    return replace(one, identifier=mask(one.identifier) if one.identifier else "", words=words)
