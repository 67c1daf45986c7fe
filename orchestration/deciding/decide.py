"""`audiences decide`: the cases of a file, decided in one build of the models that production runs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from dlt_sources.errors import AudiencesError
from orchestration import warehouse
from orchestration.activation.keys import normalise_email, normalise_phone
from orchestration.deciding import worlds
from orchestration.deciding.cases import Case, Question
from orchestration.deciding.worlds import World
from orchestration.home import Home
from orchestration.parsing import dbt_command, environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the models say to one question, and in which respects that is not what the file expects."""

    case: str
    place: int
    question: Question
    eligible: bool
    reason_codes: Sequence[str]
    evidence: Sequence[str]
    rule_version: str
    next_change_at: datetime | None
    unexpected: Sequence[str]


def decide(home: Home, cases: Sequence[Case]) -> list[Answer]:
    """Decide every question of the cases, in their order.

    AudiencesError when the models do not build.
    """
    made = worlds.worlds(cases)
    with tempfile.TemporaryDirectory(prefix="audiences-decide-") as folder:
        scratch = Home(Path(folder))
        scratch.data.mkdir(parents=True)
        with duckdb.connect(str(scratch.warehouse)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            worlds.write(connection, made)
            warehouse.ensure_raw(connection, [], [])
        _build(home, scratch)
        with duckdb.connect(str(scratch.warehouse), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            answers = [_answer(connection, world, place) for world in made for place in world.questions]
    order = {case.id: place for place, case in enumerate(cases)}
    return sorted(answers, key=lambda answer: (order[answer.case], answer.place))


def _build(home: Home, scratch: Home) -> None:
    command = dbt_command("build", "--select", "+decisions", "--exclude", "resource_type:unit_test resource_type:test")
    command += ["--vars", orjson.dumps({"cases": True}).decode()]
    # A target folder of its own, since another set of variables would parse the whole project again, and here too.
    paths = environment(scratch) | {"DBT_TARGET_PATH": str(home.data / "decide" / "target")}
    built = subprocess.run(command, env={**os.environ, **paths}, capture_output=True, text=True, check=False)
    if built.returncode:
        raise AudiencesError(f"The models did not build over the cases:\n{built.stdout[-4000:]}{built.stderr[-2000:]}")


def _answer(connection: duckdb.DuckDBPyConnection, world: World, place: int) -> Answer:
    question = world.questions[place]
    found = connection.execute(
        """
        SELECT identifier, eligible, reason_codes, evidence_ids, rule_version, next_change_at FROM marts.decisions
        WHERE question_id = $question
            AND identifier = coalesce($identifier, identifier)
            AND person_id IN (
                SELECT person_id FROM intermediate.person_records
                WHERE world = $world AND record_key = coalesce($record, record_key)
            )
        ORDER BY identifier, eligible, person_id
        """,
        {
            "question": worlds.question_id(world, question),
            "identifier": question.identifier and world.name + _normal(question.identifier),
            "world": world.name,
            "record": question.record and worlds.record_key(world, question.record),
        },
    ).fetchall()
    empty: tuple[Any, ...] = ("", False, ["no_identifier"], [], "", None)
    _, eligible, codes, evidence, version, change = found[0] if found else empty
    return Answer(
        case=world.case.id,
        place=place,
        question=question,
        eligible=eligible,
        reason_codes=codes,
        # A stop by text is two statements: of its channel, and of what else its sender sends.
        evidence=list(dict.fromkeys(one.removeprefix(world.name).removesuffix(" (sender)") for one in evidence)),
        rule_version=version,
        next_change_at=change,
        unexpected=[
            *(["several identifiers can be meant; write `identifier:`"] if len({one[0] for one in found}) > 1 else []),
            *_unexpected(question, eligible, codes, change),
        ],
    )


def _normal(identifier: str) -> str:
    kept = normalise_email(identifier) if "@" in identifier else normalise_phone(identifier)
    return kept or identifier


def _unexpected(question: Question, eligible: bool, codes: Sequence[str], change: datetime | None) -> list[str]:
    faults = []
    if question.eligible is not None and question.eligible != eligible:
        faults.append(f"eligible is {str(eligible).lower()}")
    if question.lead is not None and codes[0] != question.lead:
        faults.append(f"the lead is {codes[0]}, not {question.lead}")
    if question.codes is not None and (absent := set(question.codes) - set(codes)):
        faults.append(f"{', '.join(sorted(absent))} is not among the reasons")
    expected = question.next_change_at
    if expected is not None and change != (None if expected == "never" else expected):
        faults.append(f"the next change is {change.isoformat() if change else 'never'}")
    return faults
