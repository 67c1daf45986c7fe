"""Why a person is in, or out: reasons, the evidence behind them, what would change it, and where they are a member.

It reads the published copy and the state, so it can be asked at any time, beside a running build.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
from sqlalchemy import or_, select

from dlt_sources.errors import AudiencesError
from orchestration.activation import catalogue as catalogues
from orchestration.activation.catalogue import Audience
from orchestration.activation.evidence import ByHand, Evidence, by_hand, reasons_of, rows_behind
from orchestration.activation.evidence import Reason as Reason
from orchestration.activation.keys import keyed_hash, normalise_email, normalise_phone
from orchestration.activation.ledger import chunks, reading
from orchestration.activation.publish import WAREHOUSE
from orchestration.activation.state import State, ledger, ledger_keys, memberships
from orchestration.home import Home
from orchestration.warehouse import has_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision about one identifier of a person for an audience's question; `reasons` are in order of weight."""

    identifier: str
    eligible: bool
    reasons: Sequence[Reason]
    evidence: Sequence[Evidence]
    rule_version: str
    next_change_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One record of the person at one target, as the destination accepted it (or may have: pending)."""

    platform: str
    account: str
    target: str
    record_id: str
    status: str
    reason: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InAudience:
    """Where a person stands with one audience: in | out (of interest, not admitted) | not_interested."""

    audience: str
    channel: str
    rule: str
    stands: str
    reasons: Sequence[Reason]
    verdicts: Sequence[Verdict]
    memberships: Sequence[Membership]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A ledger row that blocks now and that no published build knows yet."""

    kind: str
    channel: str
    topic: str
    audience: str
    event_name: str
    platform: str
    account: str
    occurred_at: datetime
    unresolved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person: identifiers (masked unless asked otherwise), records, and every audience asked about."""

    person_id: str
    identifiers: Sequence[str]
    records: Sequence[str]
    audiences: Sequence[InAudience]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of a subject in the published build; nobody may be known, and still `waiting` may block.

    `by_hand` holds every block and lift by hand, oldest first, whether or not a build knows it yet.
    """

    subject: str
    build_id: int
    as_of: datetime | None
    people: Sequence[Person] = field(default_factory=tuple)
    waiting: Sequence[Waiting] = field(default_factory=tuple)
    by_hand: Sequence[ByHand] = field(default_factory=tuple)


def why(home: Home, subject: str, audience: str | None = None, *, show: bool = False) -> Answer:
    """Explain a person, named by e-mail, phone or person id; `show` gives identifiers in full.

    Raises AudiencesError when nothing is published, the subject has no readable form, or the audience is unknown.
    """
    catalogue = catalogues.read(home)
    asked = [one for one in catalogue.audiences if audience in (None, one.name)]
    if audience is not None and not asked:
        known = ", ".join(one.name for one in catalogue.audiences) or "none"
        raise AudiencesError(f"There is no audience {audience!r} in the published build; known are {known}.")
    key = _key(subject)
    with _published(home) as connection, closing(State.of(home)) as state:
        clock = connection.execute("SELECT build_id, as_of FROM marts.clock").fetchone() or (0, None)
        people = _people(connection, subject, key)
        keys = sorted({key, *(one for person in people.values() for one in person)} - {""})
        return Answer(
            subject=subject if show or not key else mask(key.partition(":")[2]),
            build_id=clock[0],
            as_of=clock[1],
            people=[_person(connection, state, person_id, asked, show=show) for person_id in sorted(people)],
            waiting=_waiting(state, keys, clock[0]),
            by_hand=by_hand(state, keys, clock[0]),
        )


def mask(identifier: str) -> str:
    """An identifier that its owner recognises and nobody else can use."""
    name, at, domain = identifier.partition("@")
    if at:
        return f"{name[:1]}***@{domain}"
    return f"{identifier[:3]}***{identifier[-2:]}"


def _key(subject: str) -> str:
    """The suppression key of an e-mail or phone; empty for a person id."""
    if "@" in subject:
        email = normalise_email(subject)
        if email:
            return f"email:{email}"
    elif phone := normalise_phone(subject):
        return f"phone:{phone}"
    elif subject.startswith("p_"):
        return ""
    raise AudiencesError("That is no e-mail address, no phone number with its country code (+1 …) and no person id.")


@contextmanager
def _published(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    path = home.published / WAREHOUSE
    if not path.exists():
        raise AudiencesError("No build has been published yet: run `audiences run` first.")
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _people(connection: duckdb.DuckDBPyConnection, subject: str, key: str) -> dict[str, list[str]]:
    """Person id → every suppression key, for everybody whom the subject may mean."""
    condition = "list_contains(suppression_keys, $1)" if key else "person_id = $1"
    query = f"SELECT person_id, suppression_keys FROM marts.person_suppression_keys WHERE {condition}"
    return dict(connection.execute(query, [key or subject]).fetchall())


def _person(
    connection: duckdb.DuckDBPyConnection, state: State, person_id: str, asked: Sequence[Audience], *, show: bool
) -> Person:
    records = connection.execute(
        "SELECT platform, account, record_id, email, phone FROM marts.destination_records WHERE person_id = ? "
        "ORDER BY ALL",
        [person_id],
    ).fetchall()
    identifiers = dict.fromkeys(value for row in records for value in row[3:] if value)
    held = _memberships(state, person_id, [row[:3] for row in records])
    return Person(
        person_id=person_id,
        identifiers=[one if show else mask(one) for one in identifiers],
        # Where a platform has no directory, a record's id is the phone number itself.
        records=[
            f"{platform}:{account}:{record_id if show or record_id not in identifiers else mask(record_id)}"
            for platform, account, record_id, *_ in records
        ],
        audiences=[_in_audience(connection, person_id, one, held.get(one.name, ()), show=show) for one in asked],
    )


def _in_audience(
    connection: duckdb.DuckDBPyConnection,
    person_id: str,
    audience: Audience,
    held: Sequence[Membership],
    *,
    show: bool,
) -> InAudience:
    stands, codes = _standing(connection, audience.name, person_id)
    decided = connection.execute(
        "SELECT identifier, eligible, reason_codes, evidence_ids, rule_version, next_change_at FROM marts.decisions "
        "WHERE person_id = ? AND question_id = ? ORDER BY identifier",
        [person_id, audience.question_id],
    ).fetchall()
    return InAudience(
        audience=audience.name,
        channel=audience.channel,
        rule=audience.rule,
        stands=stands,
        reasons=reasons_of(connection, codes),
        verdicts=[
            Verdict(
                identifier=identifier if show else mask(identifier),
                eligible=eligible,
                reasons=reasons_of(connection, reason_codes),
                evidence=rows_behind(connection, evidence_ids),
                rule_version=str(rule_version),
                next_change_at=next_change_at,
            )
            for identifier, eligible, reason_codes, evidence_ids, rule_version, next_change_at in decided
        ],
        memberships=held,
    )


def _standing(connection: duckdb.DuckDBPyConnection, name: str, person_id: str) -> tuple[str, list[str]]:
    """Where the person stands with an audience of this build, and every reason code for it."""
    for schema, stands in (("audiences", "in"), ("exclusions", "out")):
        if not has_table(connection, schema, name):
            continue
        codes = "['ok']" if stands == "in" else "reason_codes"
        query = f'SELECT {codes} FROM {schema}."{name}" WHERE person_id = ?'
        if rows := connection.execute(query, [person_id]).fetchall():
            return stands, list(dict.fromkeys(code for (listed,) in rows for code in listed))
    return "not_interested", []


def _memberships(state: State, person_id: str, records: Sequence[tuple[str, str, str]]) -> dict[str, list[Membership]]:
    """Audience → memberships of the person, found by person or, after a merge, by record."""
    known = memberships.c.person_id == person_id
    for platform, account, record_id in records:
        known = or_(
            known,
            (memberships.c.platform == platform)
            & (memberships.c.account == account)
            & (memberships.c.record_id == record_id),
        )
    found: dict[str, list[Membership]] = {}
    names = Membership.__slots__
    with reading(state.deliveries) as connection:
        query = select(memberships).where(known).order_by(memberships.c.platform, memberships.c.target)
        for row in connection.execute(query):
            values = {name: getattr(row, name) for name in names}
            found.setdefault(row.audience, []).append(Membership(**values))
    return found


def _waiting(state: State, keys: Sequence[str], build_id: int) -> list[Waiting]:
    """Ledger rows on any of the keys that the published build has not absorbed."""
    hashes = [keyed_hash(state.key, key) for key in keys]
    found: dict[str, Waiting] = {}
    unknown = or_(ledger.c.absorbed_build.is_(None), ledger.c.absorbed_build > build_id)
    with reading(state.ledger) as connection:
        for chunk in chunks(hashes):
            query = select(ledger).join(ledger_keys).where(ledger_keys.c.key_hash.in_(chunk), unknown)
            for row in connection.execute(query):
                found[row.ledger_id] = Waiting(**{name: getattr(row, name) for name in Waiting.__slots__})
    return sorted(found.values(), key=lambda one: one.occurred_at)
