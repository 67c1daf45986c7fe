"""Why a person is in, or out: reasons, the evidence behind them, what would change it, and where they are a member.

It reads the published copy and the state, so it can be asked at any time, beside a running build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb
from sqlalchemy import or_, select

from orchestration.activation import sent
from orchestration.activation.answer import Answer, InAudience, Person, Verdict, Waiting
from orchestration.activation.asked import Asked, people_of, question
from orchestration.activation.catalogue import Audience
from orchestration.activation.evidence import by_hand, mask, rows_about, rows_behind
from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import chunks, reading
from orchestration.activation.reasons import reasons_of
from orchestration.activation.rules_behind import rules_behind
from orchestration.activation.state import State, ledger, ledger_keys
from orchestration.home import Home
from orchestration.warehouse import has_table, published

#: Codes under which the next change is a birthday, whose day is not told.
_BIRTHDAYS = {"under_age", "minor", "capacity_void", "age_conflict"}


def why(home: Home, subject: str, audience: str | None = None, *, show: bool = False) -> Answer:
    """Explain a person, named by e-mail, phone or person id; `show` gives identifiers in full.

    Raises AudiencesError when nothing is published, the subject has no readable form, or the audience is unknown.
    """
    asked = question(home, subject, audience)
    with published(home) as connection, closing(State.of(home)) as state:
        return explained(home, connection, state, asked, show=show)


def explained(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    state: State,
    asked: Asked,
    *,
    show: bool,
    past: bool = False,
    people: Mapping[str, list[str]] | None = None,
) -> Answer:
    """The answer that a warehouse gives; one of the `past` leaves out what came later, and interest in audiences."""
    clock = connection.execute("SELECT build_id, as_of, known_at FROM marts.clock").fetchone() or (0, None, None)
    build_id, as_of, known_at = clock
    people = people_of(connection, asked) if people is None else people
    key = asked.key
    keys = sorted({*asked.blocked_by, *(one for person in people.values() for one in person)})
    found = [
        _person(home, connection, state, (person_id, keys_of), asked.audiences, show=show, past=past)
        for person_id, keys_of in sorted(people.items())
    ]
    answer = Answer(
        subject=asked.subject if show or not key else mask(asked.identifier),
        build_id=build_id,
        as_of=as_of,
        known_at=known_at,
        rule_version=next((v.rule_version for p in found for a in p.audiences for v in a.verdicts), ""),
        past=past,
        people=found,
        waiting=() if past else _waiting(state, keys, build_id),
        by_hand=by_hand(state, keys, build_id),
        calls=sent.calls(state, keys),
        facts=() if found or not key else rows_about(connection, [asked.identifier], show=show),
    )
    return _until(answer, known_at) if past and known_at else answer


def _until(answer: Answer, known_at: datetime) -> Answer:
    """The answer without what was done after a time."""
    return replace(
        answer,
        by_hand=[act for act in answer.by_hand if act.at <= known_at],
        calls=[call for call in answer.calls if call.created_at <= known_at],
        people=[
            replace(person, pushes=[one for one in person.pushes if one.at <= known_at]) for person in answer.people
        ],
    )


def _person(
    home: Home,
    connection: duckdb.DuckDBPyConnection,
    state: State,
    known: tuple[str, Sequence[str]],
    asked: Sequence[Audience],
    *,
    show: bool,
    past: bool,
) -> Person:
    person_id, keys = known
    records = connection.execute(
        "SELECT platform, account, record_id, email, phone FROM marts.destination_records WHERE person_id = ? "
        "ORDER BY ALL",
        [person_id],
    ).fetchall()
    identifiers = dict.fromkeys(value for row in records for value in row[3:] if value)
    held = {} if past else sent.members(state, person_id, [row[:3] for row in records])
    pushed = sent.pushes(home.data, state, person_id, [row[:3] for row in records])
    names = {one.name for one in asked}
    return Person(
        person_id=person_id,
        identifiers=[one if show else mask(one) for one in identifiers],
        # Where a platform has no directory, a record's id is the phone number itself.
        records=[
            f"{platform}:{account}:{record_id if show or record_id not in identifiers else mask(record_id)}"
            for platform, account, record_id, *_ in records
        ],
        audiences=[
            _in_audience(connection, person_id, one, held.get(one.name, ()), show=show, past=past) for one in asked
        ],
        pushes=[one for one in pushed if one.audience in ("", *names)],
        facts=rows_about(connection, [person_id, *(key.partition(":")[2] for key in keys)], show=show),
    )


def _in_audience(
    connection: duckdb.DuckDBPyConnection,
    person_id: str,
    audience: Audience,
    held: Sequence[sent.Membership],
    *,
    show: bool,
    past: bool,
) -> InAudience:
    decided = connection.execute(
        "SELECT identifier, eligible, reason_codes, evidence_ids, rule_version, next_change_at, decided_as_of "
        "FROM marts.decisions WHERE person_id = ? AND question_id = ? ORDER BY identifier",
        [person_id, audience.question_id],
    ).fetchall()
    if past:
        stands = "may_be_used" if any(row[1] for row in decided) else "kept_out"
        codes = list(dict.fromkeys(code for row in decided for code in row[2]))
    else:
        stands, codes = _standing(connection, audience.name, person_id)
    return InAudience(
        audience=audience.name,
        channel=audience.channel,
        rule=audience.rule,
        stands=stands,
        reasons=reasons_of(connection, codes),
        verdicts=[_verdict(connection, person_id, audience.question_id, row, show=show) for row in decided],
        memberships=held,
    )


def _verdict(
    connection: duckdb.DuckDBPyConnection, person_id: str, question_id: str, row: tuple[Any, ...], *, show: bool
) -> Verdict:
    identifier, eligible, codes, evidence_ids, rule_version, next_change_at, as_of = row
    evidence = rows_behind(connection, evidence_ids, show=show)
    # The day on which somebody comes of age tells when they were born.
    birthday = next_change_at is not None and bool(_BIRTHDAYS.intersection(codes))
    return Verdict(
        identifier=identifier if show or identifier == person_id else mask(identifier),
        eligible=eligible,
        reasons=reasons_of(connection, codes),
        evidence=evidence,
        rules=rules_behind(connection, question_id, person_id, codes, evidence, as_of),
        rule_version=str(rule_version),
        next_change_at=None if birthday else next_change_at,
        changes=f"{next_change_at:%Y}" if birthday else f"{next_change_at:%Y-%m-%d}" if next_change_at else "",
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
