"""Baselines: the members that destinations really hold, taken over into state where state cannot be trusted.

After a loss, or the restoring of an old backup, state does not know who was added or removed since. Every place then
owes a baseline: its members are read back, and those that a pull has brought become accepted members. Then whoever must
go is removed as ever, and nobody is added twice. Until it is taken, changes at that place wait.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, update

from dlt_sources.errors import AudiencesError, NotOffered
from dlt_sources.platform import Destination
from orchestration.activation import booking, plan_records
from orchestration.activation.catalogue import Catalogue, target
from orchestration.activation.ledger import insert_new, reading
from orchestration.activation.state import State, baselines, membership_keys, memberships

if TYPE_CHECKING:
    import duckdb

#: Reason of a membership that a baseline brought in or took out.
BASELINE = "baseline"
_ROWS = 500
_PLACE = ("audience", "platform", "account", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A place that owes a baseline, and why."""

    audience: str
    platform: str
    account: str
    target: str
    channel: str
    topic: str
    because: str

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Audience, platform, account and target."""
        return self.audience, self.platform, self.account, self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """What a place was found to hold at `began`; `problem` says why not, `offered` whether it can be."""

    due: Due
    brand: str = ""
    began: datetime
    records: Sequence[str] = ()
    problem: str = ""
    offered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One baseline: members that came into state and left it, and records there that no pull has brought.

    A place that cannot be asked at all has none and waits for none: `problem` says what that means.
    """

    due: Due
    adopted: int = 0
    missing: int = 0
    unknown: int = 0
    problem: str = ""

    def __str__(self) -> str:
        where = f"{self.due.target} at {self.due.platform}:{self.due.account}"
        if self.problem:
            return f"The members of {where} could not be read back: {self.problem}"
        return (
            f"The members of {where} were read back ({self.due.because}): {self.adopted} are members now, "
            f"{self.missing} are members no more, {self.unknown} records there are in no pull and stay as they are."
        )


def mark(state: State, catalogue: Catalogue, because: str, *, accounts: Collection[str] = ()) -> list[Due]:
    """Let every place of the catalogue, and every place with members, owe a baseline; only those of `accounts` if any.

    Plans of changes made before are let go of: they rest on members that nobody can vouch for.
    """
    now, places = datetime.now(UTC), _places(state, catalogue)
    wanted = [one for one in places if not accounts or f"{one['platform']}:{one['account']}" in accounts]
    values = [
        {**one, "because": because, "due_since": now, "taken_at": None, "adopted": 0, "missing": 0, "unknown": 0}
        for one in wanted
    ]
    with state.write_deliveries() as connection:
        changed = ("because", "due_since", "taken_at", "adopted", "missing", "unknown")
        booking.upsert(connection, baselines, _PLACE, changed, values)
    plan_records.supersede_changes(state)
    return [Due(**one, because=because) for one in wanted]


def due(state: State) -> list[Due]:
    """The places that owe a baseline."""
    query = select(*(baselines.c[name] for name in Due.__slots__)).where(baselines.c.taken_at.is_(None))
    with reading(state.deliveries) as connection:
        return [Due(**row) for row in connection.execute(query.order_by(*(baselines.c[n] for n in _PLACE))).mappings()]


def read_back(owed: Sequence[Due], opened: Callable[[str], Destination]) -> list[ReadBack]:
    """Ask each destination who its members are; `opened` gives a destination by its account's key."""
    return [_read(one, opened) for one in owed]


def take(connection: duckdb.DuckDBPyConnection, state: State, found: Sequence[ReadBack], build_id: int) -> list[Taken]:
    """Make what was read back the members that state knows; `connection` is the open warehouse.

    What happened at a place after the reading began is left as it is on record.
    """
    from orchestration.activation.members import install_key

    install_key(connection, state.key)
    return [_take(connection, state, one, build_id) for one in found]


def _read(owed: Due, opened: Callable[[str], Destination]) -> ReadBack:
    began = datetime.now(UTC)
    try:
        destination = opened(f"{owed.platform}:{owed.account}")
        records = tuple(dict.fromkeys(destination.read_back(target(owed.target))))
    except NotOffered:
        problem = (
            f"{owed.platform} offers no such call. Who was added there before and must go is not known: look there."
        )
        return ReadBack(due=owed, began=began, problem=problem, offered=False)
    except AudiencesError as error:
        return ReadBack(due=owed, began=began, problem=f"{error} Changes there wait.")
    return ReadBack(due=owed, brand=destination.account.brand, began=began, records=records)


def _take(connection: duckdb.DuckDBPyConnection, state: State, found: ReadBack, build_id: int) -> Taken:
    taken = Taken(due=found.due, problem=found.problem)
    if found.problem and found.offered:
        return taken
    if found.offered:
        people = _people(connection, found)
        for start in range(0, len(people), _ROWS):
            _adopt(state, found, people[start : start + _ROWS], build_id)
        missing = _forget(state, found)
        taken = Taken(due=found.due, adopted=len(people), missing=missing, unknown=len(found.records) - len(people))
    here = and_(*(baselines.c[name] == value for name, value in zip(_PLACE, found.due.place, strict=True)))
    figures = {"adopted": taken.adopted, "missing": taken.missing, "unknown": taken.unknown}
    with state.write_deliveries() as store:
        store.execute(update(baselines).where(here).values(taken_at=datetime.now(UTC), **figures))
    return taken


def _people(connection: duckdb.DuckDBPyConnection, found: ReadBack) -> list[tuple[str, str, str, list[str]]]:
    """Membership id, record, person and keyed hashes of every record read back that a pull has brought."""
    import pyarrow as pa

    connection.register("read_back", pa.table({"record_id": pa.array(found.records, pa.string())}))
    try:
        return connection.execute(
            """
            SELECT DISTINCT ON (record_id)
                sha256(concat_ws(chr(31), $audience, $platform, $account, $target, record_id)) AS membership_id,
                record_id, records.person_id,
                list_transform(list_distinct(list_concat(
                    coalesce(known.suppression_keys, []),
                    list_filter(
                        ['email:' || records.email, 'phone:' || records.phone], lambda key: key IS NOT NULL
                    ),
                    ['record:' || $platform || ':' || $account || ':' || record_id]
                )), lambda key: keyed_hash(key)) AS key_hashes
            FROM read_back
            JOIN marts.destination_records AS records USING (record_id)
            LEFT JOIN marts.person_suppression_keys AS known ON known.person_id = records.person_id
            WHERE records.platform = $platform AND records.account = $account
            ORDER BY record_id
            """,
            dict(zip(_PLACE, found.due.place, strict=True)),
        ).fetchall()
    finally:
        connection.unregister("read_back")


def _adopt(state: State, found: ReadBack, people: Sequence[tuple[str, str, str, list[str]]], build_id: int) -> None:
    """Accepted members without a fingerprint: which traits they carry is not known, so they are written once more."""
    about = {**dict(zip(_PLACE, found.due.place, strict=True)), "channel": found.due.channel, "topic": found.due.topic}
    about |= {"brand": found.brand, "payload_hash": "", "status": "accepted", "reason": BASELINE}
    values: list[dict[str, Any]] = [
        {
            **about,
            "membership_id": membership_id,
            "record_id": record_id,
            "person_id": person_id,
            "build_id": build_id,
            "changed_at": found.began,
        }
        for membership_id, record_id, person_id, _ in people
    ]
    changed = ("person_id", "payload_hash", "status", "reason", "build_id", "changed_at")
    with state.write_deliveries() as connection:
        booking.upsert(
            connection, memberships, ["membership_id"], changed, values, memberships.c.changed_at < found.began
        )
        keys = [{"key_hash": key, "membership_id": one[0]} for one in people for key in one[3]]
        insert_new(connection, membership_keys, keys)


def _forget(state: State, found: ReadBack) -> int:
    """Members on record that the place does not hold; who is known by an identifier only cannot be told apart."""
    from orchestration.activation.members import UNSEEN

    here = and_(*(memberships.c[name] == value for name, value in zip(_PLACE, found.due.place, strict=True)))
    known = and_(here, memberships.c.status != "removed", ~memberships.c.record_id.startswith(UNSEEN))
    query = select(memberships.c.membership_id, memberships.c.record_id).where(known)
    held = set(found.records)
    with reading(state.deliveries) as connection:
        rows = connection.execute(query.where(memberships.c.changed_at < found.began)).all()
    gone = [{"b_membership_id": row.membership_id} for row in rows if row.record_id not in held]
    for start in range(0, len(gone), _ROWS):
        part = [{**one, "status": "removed", "reason": BASELINE} for one in gone[start : start + _ROWS]]
        with state.write_deliveries() as connection:
            booking.update_each(
                connection, memberships, ("membership_id",), part, memberships.c.changed_at < found.began
            )
    return len(gone)


def _places(state: State, catalogue: Catalogue) -> list[dict[str, str]]:
    """Every place of the catalogue, then those that only members remember."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for audience in catalogue.audiences:
        for place in audience.destinations:
            key = (audience.name, place.platform, place.account, place.target)
            found[key] = {**dict(zip(_PLACE, key, strict=True)), "channel": audience.channel, "topic": audience.topic}
    columns = [memberships.c[name] for name in _PLACE]
    scope = [func.min(memberships.c[name]).label(name) for name in ("channel", "topic")]
    query = select(*columns, *scope).where(memberships.c.status != "removed").group_by(*columns)
    with reading(state.deliveries) as connection:
        for row in connection.execute(query).mappings():
            values: Mapping[str, str] = {name: str(row[name]) for name in (*_PLACE, "channel", "topic")}
            found.setdefault(tuple(values[name] for name in _PLACE), dict(values))
    return list(found.values())
