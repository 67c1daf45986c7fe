"""What an evidence pack holds, file by file: the answer, its facts as tables, the rules, and the raw rows behind."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

import orjson

from orchestration.activation.answer import Answer
from orchestration.activation.evidence import Evidence
from orchestration.home import Home
from orchestration.proving import page
from orchestration.proving.raw_rows import RawRow
from orchestration.reporting.exposures import Exposed, exposed_people
from orchestration.warehouse import published

#: File → what it holds, in the order of the index.
CONTENTS = {
    "timeline.html": "the answer to why, with a timeline of everything recorded",
    "answer.json": "the same, as data, with every identifier in full",
    "decisions.csv": "a row per identifier and audience: eligible, reason codes in order, evidence ids, rule version",
    "evidence.csv": "a row per recorded fact, and whether a decision rests on it",
    "consent_history.csv": "a row per statement of consent, oldest first",
    "suppressions.csv": "a row per reason not to use an identifier",
    "sends.csv": "a row per push that was sent, with the destination's answer",
    "memberships.csv": "a row per list, tag or property that a destination holds or held",
    "opt_outs_sent.csv": "a row per call of the speed lane because of an opt-out",
    "exposures.csv": "a row per send after a withdrawal, with its deadline",
    "rules.csv": "a row per row of rules that the decisions went by, with its source",
    "raw.json": "the raw rows behind the evidence, as the platforms sent them",
}


def files(home: Home, answer: Answer, raw: Sequence[RawRow]) -> dict[str, bytes]:
    """File → its bytes, in the order of the index."""
    facts = facts_of(answer)
    used = {one.id for _, _, verdict in _verdicts(answer) for one in verdict.evidence}
    statements = sorted(
        (one for one in facts if one.kind == "statement"),
        key=lambda one: (one.effective_hi or datetime.min.replace(tzinfo=UTC), one.id),
    )
    rules = {(rule.seed, str(rule.row)): rule for _, _, verdict in _verdicts(answer) for rule in verdict.rules}
    with published(home) as connection:
        exposed = exposed_people(connection, [person.person_id for person in answer.people])
    rows: dict[str, list[Mapping[str, Any]]] = {
        "decisions.csv": [
            {
                "person_id": person.person_id,
                "audience": audience.audience,
                "channel": audience.channel,
                "stands": audience.stands,
                "identifier": verdict.identifier,
                "eligible": verdict.eligible,
                "reason_codes": " ".join(reason.code for reason in verdict.reasons),
                "rests_on": "; ".join(f"{reason.code}: {reason.law}" for reason in verdict.reasons if reason.law),
                "evidence_ids": " ".join(one.id for one in verdict.evidence),
                "rule_version": verdict.rule_version,
                "changes": verdict.changes,
            }
            for person, audience, verdict in _verdicts(answer)
        ],
        "evidence.csv": [_flat(one) | {"a_decision_rests_on_it": one.id in used} for one in facts],
        "consent_history.csv": [_flat(one) for one in statements],
        "suppressions.csv": [_flat(one) for one in facts if one.kind in ("suppression", "registry")],
        "sends.csv": [
            {
                "person_id": person.person_id,
                **asdict(one),
                "reason_codes": " ".join(one.reason_codes),
                "evidence_ids": " ".join(one.evidence_ids),
            }
            for person in answer.people
            for one in person.pushes
        ],
        "memberships.csv": [
            {"person_id": person.person_id, "audience": audience.audience, **asdict(one)}
            for person in answer.people
            for audience in person.audiences
            for one in audience.memberships
        ],
        "opt_outs_sent.csv": [asdict(one) for one in answer.calls],
        "exposures.csv": [asdict(one) for one in exposed],
        "rules.csv": [
            {
                "seed": rule.seed,
                "row": orjson.dumps(dict(rule.row)).decode(),
                "source": rule.source,
                "confidence": rule.confidence,
            }
            for rule in rules.values()
        ],
    }
    content = {
        "timeline.html": page.render(answer).encode(),
        "answer.json": as_json(answer),
        **{name: _csv(name, lines) for name, lines in rows.items()},
        "raw.json": as_json([asdict(one) for one in raw]),
    }
    return {name: content[name] for name in CONTENTS}


def _verdicts(answer: Answer) -> list[tuple[Any, Any, Any]]:
    return [
        (person, audience, verdict)
        for person in answer.people
        for audience in person.audiences
        for verdict in audience.verdicts
    ]


def facts_of(answer: Answer) -> list[Evidence]:
    """Every recorded fact once, the evidence of decisions included."""
    found = {one.id: one for one in answer.facts}
    for person in answer.people:
        found |= {one.id: one for one in person.facts}
    found |= {one.id: one for _, _, verdict in _verdicts(answer) for one in verdict.evidence}
    return list(found.values())


def _flat(one: Evidence) -> dict[str, Any]:
    return {name: value for name, value in asdict(one).items() if name != "codes"}


def _csv(name: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """CSV with a header, in UTF-8; cells that a spreadsheet would take for a formula are quoted with an apostrophe."""
    if not rows:
        columns = [one.name for one in fields(Exposed)] if name == "exposures.csv" else ["nothing"]
    else:
        columns = list(rows[0])
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    text = "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
    return (
        f"'{text}"
        if text[:1] in ("=", "@", "\t", "\r") or (text[:1] in ("+", "-") and not text[1:].isdigit())
        else text
    )


def as_json(value: Any) -> bytes:
    """A value as indented JSON; dataclasses and times included."""
    return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
