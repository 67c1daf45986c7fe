"""Why people of interest are not in an audience: each lead reason with its people, its meaning, and an example.

An example is a real person whose identifiers are masked, chosen where that reason stands alone if it does anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from orchestration.activation.catalogue import Audience, Catalogue
from orchestration.activation.evidence import Evidence, mask, rows_behind
from orchestration.activation.funnel import Funnel
from orchestration.activation.reasons import reasons_of
from orchestration.warehouse import has_table

_KINDS = {
    "statement": "stated",
    "suppression": "reported",
    "age evidence": "holds",
    "registry": "compared a registry",
    "act": "saw",
}
#: First words of an evidence row that people would not read as they are meant.
_WORDS = {
    "unknown on": "nothing but its default value for",
    "granted_confirmed": "granted, by a confirmed opt-in,",
    "dob": "a birth date, evidence",
    "over": "a proof of being over an age, evidence",
    "under": "a proof of being under an age, evidence",
    "fail": "a failed age check, evidence",
}
#: Reasons that the place and the kind of goods decide.
_OF_PLACE = (
    "category_prohibited_there", "category_prohibited_on_channel", "jurisdiction_unknown", "age_no_evidence",
    "age_level_low", "age_conflict", "under_age",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One excluded person: masked, with the other reasons that keep them out too and the evidence in sentences."""

    person_id: str
    identifier: str
    also: Sequence[str]
    chain: Sequence[str]
    changes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One lead reason of one audience: its people, what it means, what would change it, one worked example."""

    code: str
    people: int
    meaning: str
    next_step: str
    example: Example | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """The row of an exclusion that serves as an example."""

    person_id: str
    identifier_type: str | None
    identifier: str | None
    reason_codes: list[str]
    evidence_ids: list[str]
    next_change_at: datetime | None
    left_by: Mapping[str, Any] | None
    asked: Mapping[str, Any] | None


def why_not(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, funnels: Sequence[Funnel]
) -> dict[str, list[Reason]]:
    """Audience → its lead reasons, most people first; a query per audience and one per kind of evidence."""
    chosen = {
        audience.name: _examples(connection, audience)
        for audience in catalogue.audiences
        if has_table(connection, "exclusions", audience.name)
    }
    rows = [row for examples in chosen.values() for row in examples.values()]
    ids = {evidence_id for row in rows for evidence_id in row.evidence_ids}
    evidence = {one.id: one for one in rows_behind(connection, sorted(ids))}
    codes = sorted({code for row in rows for code in row.reason_codes} | {c for f in funnels for c in f.reasons})
    known = {reason.code: reason for reason in reasons_of(connection, codes)}
    return {
        funnel.audience: [
            Reason(
                code=code,
                people=people,
                meaning=known[code].meaning or "This code is not in the vocabulary.",
                next_step=known[code].next_step,
                example=_example(chosen.get(funnel.audience, {}).get(code), code, evidence),
            )
            for code, people in sorted(funnel.reasons.items(), key=lambda item: (-item[1], item[0]))
        ]
        for funnel in funnels
    }


def masked(identifier: str | None) -> str:
    """An identifier that only its owner recognises; a report is passed on, so the domain is masked too."""
    if not identifier:
        return "no identifier"
    name, at, domain = mask(identifier).partition("@")
    return f"{name}@{domain[:1]}***.{domain.rpartition('.')[2]}" if at else name


def _examples(connection: duckdb.DuckDBPyConnection, audience: Audience) -> dict[str, _Chosen]:
    """Lead reason → one row: few reasons beside it, some evidence, and else by a fixed draw."""
    category = (audience.question_id.split("|") + [""] * 6)[4]
    rows = connection.execute(
        f"""
        WITH chosen AS (
            SELECT lead_reason, arg_min(
                {{'person_id': person_id, 'identifier_type': identifier_type, 'identifier': identifier,
                  'reason_codes': reason_codes, 'evidence_ids': evidence_ids}},
                (len(reason_codes), len(evidence_ids) = 0, sha256(person_id), coalesce(identifier, ''))
            ) AS found
            FROM exclusions."{audience.name}" GROUP BY lead_reason
        ),
        turns AS (
            SELECT person_id, arg_max({{'name': event_name, 'at': occurred_at}}, occurred_at) AS left_by
            FROM marts.customer_events
            WHERE list_contains($leave_on::VARCHAR[], event_name)
                AND person_id IN (SELECT found.person_id FROM chosen WHERE list_contains(found.reason_codes, 'left'))
            GROUP BY person_id
        ),
        asked AS (
            SELECT persons.person_id, {{
                'category': ages.product_category, 'channel': ages.channel, 'level': ages.required_level,
                'age': ages.minimum_age, 'country': persons.country, 'region': persons.region
            }} AS asked
            FROM chosen
            JOIN intermediate.decided_identifiers AS decided
                ON decided.person_id = chosen.found.person_id
                AND decided.identifier_type = chosen.found.identifier_type
                AND decided.identifier = chosen.found.identifier
            JOIN intermediate.age_state AS ages USING (readers_id)
            JOIN marts.persons AS persons ON persons.person_id = decided.person_id
            WHERE ages.product_category = $category AND ages.channel = $channel
        )
        SELECT chosen.lead_reason, chosen.found, decisions.next_change_at, turns.left_by, asked.asked
        FROM chosen
        LEFT JOIN marts.decisions AS decisions
            ON decisions.person_id = chosen.found.person_id AND decisions.identifier = chosen.found.identifier
            AND decisions.question_id = $question_id
        LEFT JOIN turns ON turns.person_id = chosen.found.person_id
        LEFT JOIN asked ON asked.person_id = chosen.found.person_id
        """,
        {
            "leave_on": list(audience.leave_on),
            "question_id": audience.question_id,
            "category": category,
            "channel": audience.channel,
        },
    ).fetchall()
    return {
        lead: _Chosen(
            **{**found, "evidence_ids": found["evidence_ids"] or []},
            next_change_at=next_change_at,
            left_by=left_by,
            asked=asked,
        )
        for lead, found, next_change_at, left_by, asked in rows
    }


def _example(row: _Chosen | None, code: str, evidence: Mapping[str, Evidence]) -> Example | None:
    if row is None:
        return None
    found = [evidence[evidence_id] for evidence_id in row.evidence_ids if evidence_id in evidence]
    chain = [_sentence(one) for one in sorted(found, key=lambda one: (one.at is None, one.at, one.id))]
    if row.asked and set(row.reason_codes).intersection(_OF_PLACE):
        chain.append(_demand(row.asked, row.reason_codes))
    if row.left_by and "left" in row.reason_codes:
        chain.append(f"On {row.left_by['at']:%Y-%m-%d} the event “{row.left_by['name']}” took the person out.")
    return Example(
        person_id=row.person_id,
        identifier=masked(row.identifier),
        also=[other for other in row.reason_codes if other != code],
        chain=list(dict.fromkeys(chain)),
        # Month and day are those of a birthday.
        changes=str(row.next_change_at.year) if row.next_change_at and code == "under_age" else "",
    )


def _sentence(evidence: Evidence) -> str:
    when = f"On {evidence.at:%Y-%m-%d}" if evidence.at else "At an unknown time"
    what = next(
        (evidence.what.replace(word, said, 1) for word, said in _WORDS.items() if evidence.what.startswith(f"{word} ")),
        evidence.what,
    )
    return f"{when} {evidence.platform} ({evidence.account}) {_KINDS[evidence.kind]}: {what.replace('_', ' ')}."


def _demand(asked: Mapping[str, Any], codes: Sequence[str]) -> str:
    """What the rules for these goods say where the person lives."""
    goods = asked["category"]
    if not asked["country"]:
        return f"No country is known, so that no rule for {goods} can be chosen."
    place = "-".join(part for part in (asked["country"], asked["region"]) if part)
    if "category_prohibited_there" in codes:
        return f"In {place}, {goods} may not be sold to consumers."
    if "category_prohibited_on_channel" in codes:
        return f"In {place}, {goods} may not be advertised by {asked['channel']}."
    return (
        f"In {place}, {goods} needs proof of level {asked['level']} or more that the person is {asked['age']} or older."
    )
