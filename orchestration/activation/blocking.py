"""Blocks by hand: setting them so that they hold at once, and lifting them by way of a build.

A block is landed, settled and delivered as a webhook is; when `suppress` returns, the ledger has its rows. A lift is
landed for the next build and takes nothing out of the ledger: it ends blocks that were set by hand before it, within
its scope, and nothing that a person or a platform said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import duckdb
import pyarrow as pa
from sqlalchemy import func, or_, select, update

from dlt_sources.errors import AudiencesError
from dlt_sources.platform import Identifier
from orchestration.activation.keys import keyed_hash, normalise_email, normalise_phone
from orchestration.activation.ledger import EVERYTHING, chunks, insert_new, one_of, reading
from orchestration.activation.publish import WAREHOUSE
from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import State, ledger, ledger_keys, lifts, outbox
from orchestration.home import Home
from orchestration.landing.by_hand import ACTS, KINDS, PLATFORM, Order, landed
from orchestration.landing.files import Landing
from orchestration.warehouse import has_table

#: How long the ledger may take for one request before we say so.
_SETTLED_SECONDS = 60.0
_STANDING = "FROM suppressions WHERE platform = 'audiences' AND ended_at IS NULL"
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """What blocking came to: identifiers, and the calls it caused by operation and state (done, due, dead)."""

    identifiers: int
    calls: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """What lifting came to.

    `without_block` had no standing block of this scope, `withdrawn_calls` were owed and are not made any more. `still`
    counts identifiers by reason code of the published decisions that a lift does not end, `waiting` by kind of ledger
    row that no published build knows yet.
    """

    identifiers: int
    without_block: int
    withdrawn_calls: int
    still: dict[str, int]
    waiting: dict[str, int]


def identified(text: str) -> Identifier | None:
    """An e-mail address or a phone number with its country code; None when it is neither."""
    if "@" in text:
        address = normalise_email(text)
        return Identifier("email", address) if address else None
    number = normalise_phone(text)
    return Identifier("phone", number) if number else None


def suppress(
    worker: Worker,
    order: Order,
    identifiers: Sequence[Identifier],
    *,
    seconds: float = 20.0,
    progress: Progress | None = None,
) -> Blocked:
    """Block or stop identifiers: durable, and in the ledger, when this returns; calls go on for `seconds` at most.

    A few hundred at a time, so that other people's opt-outs never wait behind a long list.
    """
    started, done = datetime.now(UTC), 0
    for part in _parts(identifiers):
        paths = worker.landing.write(order.lane, [landed(order, part).line()])
        _settle(worker, {path.name for path in paths})
        done += len(part)
        if progress:
            progress(done)
    worker.deliver_once(seconds)
    return Blocked(identifiers=len(identifiers), calls=_calls(worker.state, started, KINDS[order.act]))


def lift(home: Home, state: State, order: Order, identifiers: Sequence[Identifier]) -> Lifted:
    """Lift blocks by hand: takes effect with the next build; calls that they still owe are not made any more."""
    hashes = {one: keyed_hash(state.key, f"{one.kind}:{one.value}") for one in identifiers}
    rows = _blocks(state, order, hashes.values())
    blocked = {key for keys in rows.values() for key in keys} | _published_blocks(home, state, identifiers)
    lifted = [one for one in identifiers if hashes[one] in blocked]
    landing = Landing(home.landing)
    landing.create()
    for part in _parts(lifted):
        request = landed(order, part)
        landing.write(order.lane, [request.line()])
        values = [
            {
                "lift_id": f"{request.delivery_id}:{place}",
                "landing_id": request.id,
                "key_hash": hashes[one],
                "channel": order.channel,
                "topic": order.topic,
                "actor": order.actor,
                "reason": order.reason,
                "lifted_at": order.at,
            }
            for place, one in enumerate(part)
        ]
        with state.write_ledger() as connection:
            insert_new(connection, lifts, values)
    return Lifted(
        identifiers=len(lifted),
        without_block=len(identifiers) - len(lifted),
        withdrawn_calls=_withdraw_calls(state, list(rows)),
        still=_still(home, order, identifiers),
        waiting=_waiting(state, hashes.values(), set(rows)),
    )


def _settle(worker: Worker, names: set[str]) -> None:
    """Have files settled, by us or by another worker; they are durable and close the gate in any case."""
    end = time.monotonic() + _SETTLED_SECONDS
    while True:
        worker.settle_once()
        if not names & {path.name for path in worker.landing.pending("speed")}:
            return
        if time.monotonic() > end:
            raise AudiencesError(
                "The block is durable and the gate sees it, but the ledger does not take it: see `audiences status` "
                "and the log of the speed lane; nothing has to be repeated."
            )
        time.sleep(0.02)


def _calls(state: State, since: datetime, kind: str) -> dict[str, dict[str, int]]:
    """Calls that ledger rows of this kind have caused since then, by operation and state."""
    query = (
        select(outbox.c.operation, outbox.c.state, func.count().label("calls"))
        .where(outbox.c.created_at >= since, outbox.c.reason == kind)
        .group_by(outbox.c.operation, outbox.c.state)
    )
    found: dict[str, dict[str, int]] = {}
    with reading(state.deliveries) as connection:
        for row in connection.execute(query):
            found.setdefault(row.operation, {})[row.state] = row.calls
    return found


def _blocks(state: State, order: Order, hashes: Collection[str]) -> dict[str, list[str]]:
    """Ledger id → keys of the blocks by hand that lie within the order's scope."""
    scope = [ledger.c.platform == PLATFORM.name, ledger.c.kind == KINDS["suppress"], ledger.c.occurred_at < order.at]
    scope += [ledger.c.channel == order.channel] if order.channel != EVERYTHING else []
    scope += [ledger.c.topic == order.topic] if order.topic != EVERYTHING else []
    lifted = (
        select(lifts.c.lift_id)
        .where(lifts.c.key_hash == ledger_keys.c.key_hash, lifts.c.lifted_at > ledger.c.occurred_at)
        .where(or_(lifts.c.channel == EVERYTHING, lifts.c.channel == ledger.c.channel))
        .where(or_(lifts.c.topic == EVERYTHING, lifts.c.topic == ledger.c.topic))
    )
    query = select(ledger.c.ledger_id, ledger_keys.c.key_hash).join_from(ledger, ledger_keys)
    query = query.where(*scope, ~lifted.exists())
    found: dict[str, list[str]] = {}
    with reading(state.ledger) as connection:
        for part in chunks(list(hashes)):
            for row in connection.execute(query.where(one_of(connection, ledger_keys.c.key_hash, part))):
                found.setdefault(row.ledger_id, []).append(row.key_hash)
    return found


def _withdraw_calls(state: State, ledger_ids: Sequence[str]) -> int:
    """Withdrawals that blocks still owe are not written any more; removals go on."""
    ended = 0
    for part in chunks(ledger_ids):
        with state.write_deliveries() as connection:
            owed = (outbox.c.state == "due", outbox.c.operation == "suppress")
            change = update(outbox).where(*owed, one_of(connection, outbox.c.ledger_id, part))
            ended += connection.execute(change.values(state="lifted", identifier="")).rowcount
    return ended


def _waiting(state: State, hashes: Collection[str], blocks: Collection[str]) -> dict[str, int]:
    """Kind → identifiers of ledger rows, other than these blocks, that no build has absorbed."""
    columns = (ledger.c.ledger_id, ledger.c.kind, ledger_keys.c.key_hash)
    query = select(*columns).join_from(ledger, ledger_keys).where(ledger.c.absorbed_build.is_(None))
    keys: dict[str, set[str]] = {}
    with reading(state.ledger) as connection:
        for part in chunks(list(hashes)):
            for row in connection.execute(query.where(one_of(connection, ledger_keys.c.key_hash, part))):
                if row.ledger_id not in blocks:
                    keys.setdefault(row.kind, set()).add(row.key_hash)
    return {kind: len(found) for kind, found in sorted(keys.items())}


def _published_blocks(home: Home, state: State, identifiers: Sequence[Identifier]) -> set[str]:
    """Keyed hashes of identifiers whose standing block by hand the published build knows: also after a lost ledger."""
    query = f"SELECT DISTINCT kind, value FROM asked SEMI JOIN ({_STANDING}) AS held"
    rows = _asked(home, f"{query} ON held.identifier_type = asked.kind AND held.identifier = asked.value", identifiers)
    return {keyed_hash(state.key, f"{kind}:{value}") for kind, value in rows}


def _still(home: Home, order: Order, identifiers: Sequence[Identifier]) -> dict[str, int]:
    """Reason code → identifiers that it keeps out of some audience, whatever is lifted."""
    rows = _asked(
        home,
        """
        WITH reasons AS (
            SELECT DISTINCT asked.kind, asked.value, unnest(decisions.reason_codes) AS code
            FROM asked
            JOIN marts.decisions AS decisions
                ON decisions.identifier_type = asked.kind AND decisions.identifier = asked.value
            JOIN marts.questions AS questions USING (question_id)
            WHERE $channel IN ('*', questions.channel) AND $topic IN ('*', questions.topic)
        ),
        theirs AS (
            SELECT asked.kind, asked.value FROM asked
            SEMI JOIN (FROM suppressions WHERE kind = 'manual_block' AND platform <> 'audiences') AS held
                ON held.identifier_type = asked.kind AND held.identifier = asked.value
        )
        SELECT code, count(*) FROM reasons
        WHERE code NOT IN ('ok', 'manual_block') OR (code = 'manual_block' AND (kind, value) IN (FROM theirs))
        GROUP BY code ORDER BY 2 DESC, 1
        """,
        identifiers,
        channel=order.channel,
        topic=order.topic,
    )
    return dict(rows)


def _asked(home: Home, query: str, identifiers: Sequence[Identifier], **values: str) -> list[tuple[str, int]]:
    """A query on the published copy about identifiers, in the temp table `asked`; nothing before the first build."""
    path = home.published / WAREHOUSE
    if not path.exists() or not identifiers:
        return []
    with duckdb.connect(str(path), read_only=True) as connection:
        if not has_table(connection, "intermediate", "suppressions") or not has_table(connection, "marts", "decisions"):
            return []
        connection.execute("CREATE TEMP VIEW suppressions AS FROM intermediate.suppressions")
        connection.execute("CREATE TEMP TABLE asked (kind VARCHAR, value VARCHAR)")
        kinds, texts = [one.kind for one in identifiers], [one.value for one in identifiers]
        connection.register("given", pa.table({"kind": pa.array(kinds, pa.string()), "value": pa.array(texts)}))
        connection.execute("INSERT INTO asked SELECT DISTINCT kind, value FROM given")
        return connection.execute(query, values or None).fetchall()


def _parts(identifiers: Sequence[Identifier]) -> Iterator[list[Identifier]]:
    rest = iter(identifiers)
    while part := list(islice(rest, ACTS)):
        yield part
