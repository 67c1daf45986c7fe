"""`audiences decide`: the cases of a file, decided in one build of the models that production runs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from dlt_sources.errors import AudiencesError
from orchestration import warehouse
from orchestration.deciding import planning, worlds
from orchestration.deciding.cases import Case, Question
from orchestration.deciding.planning import PlanAnswer
from orchestration.deciding.worlds import World
from orchestration.home import Home
from orchestration.parsing import dbt_command, environment

_TEXTS: dict[str, pa.DataType] = dict.fromkeys(("world", "question_id", "identifier", "record_key"), pa.string())
_ASKED = pa.schema({"number": pa.int64(), **_TEXTS})


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
    return decide_with_plans(home, cases)[0]


def decide_with_plans(home: Home, cases: Sequence[Case]) -> tuple[list[Answer], list[PlanAnswer]]:
    """Decide every question and every planned write of the cases, in their order; AudiencesError as for `decide`."""
    with tempfile.TemporaryDirectory(prefix="audiences-decide-") as folder:
        scratch = Home(Path(folder))
        made = build(home, scratch, cases)
        with duckdb.connect(str(scratch.warehouse)) as connection:
            answers = answer(connection, made)
            planned = planning.answer(scratch, connection, made)
    order = {case.id: place for place, case in enumerate(cases)}
    return (
        sorted(answers, key=lambda answer: (order[answer.case], answer.place)),
        sorted(planned, key=lambda answer: (order[answer.case], answer.place)),
    )


def build(home: Home, scratch: Home, cases: Sequence[Case]) -> list[World]:
    """Write the worlds of the cases into a new warehouse and let dbt build the decisions there.

    AudiencesError when the models do not build.
    """
    made = worlds.worlds(cases)
    scratch.data.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(scratch.warehouse)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        worlds.write(connection, made)
        warehouse.ensure_raw(connection, [], [])
    _build(home, scratch, plans=any(world.plans for world in made))
    return made


def answer(connection: duckdb.DuckDBPyConnection, made: Sequence[World]) -> list[Answer]:
    """What the models in a warehouse of these worlds say to every question of theirs."""
    asked = [(world, place) for world in made for place in world.questions]
    rows = [{"number": number, **_asked(world, world.questions[place])} for number, (world, place) in enumerate(asked)]
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("asked", pa.Table.from_pylist(rows, _ASKED))
    found = connection.execute(
        """
        SELECT DISTINCT asked.number, decisions.person_id, decisions.identifier, decisions.eligible,
            decisions.reason_codes, decisions.evidence_ids, decisions.rule_version, decisions.next_change_at
        FROM asked
        JOIN marts.decisions AS decisions ON asked.question_id = decisions.question_id
        JOIN intermediate.person_records AS records
            ON asked.world = records.world AND decisions.person_id = records.person_id
        WHERE coalesce(asked.identifier = decisions.identifier, true)
            AND coalesce(asked.record_key = records.record_key, true)
        ORDER BY asked.number, decisions.identifier, decisions.eligible, decisions.person_id
        """
    ).fetchall()
    connection.unregister("asked")
    told: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for number, _, *row in found:
        told[number].append(tuple(row))
    return [_answer(world, place, told[number]) for number, (world, place) in enumerate(asked)]


def _build(home: Home, scratch: Home, *, plans: bool) -> None:
    models = ["+decisions", *(f"+{name}" for name in planning.MODELS if plans)]
    command = dbt_command("build", "--select", *models, "--exclude", "resource_type:unit_test resource_type:test")
    command += ["--vars", orjson.dumps({"cases": True}).decode()]
    # Another set of variables, or another path in its environment, would make dbt parse the whole project again: it has
    # a target folder of its own, and the file goes by one name.
    paths = environment(scratch) | {
        "AUDIENCES_WAREHOUSE": scratch.warehouse.name,
        "DBT_TARGET_PATH": str(home.data.absolute() / "decide" / "target"),
        "DBT_LOG_PATH": str(home.data.absolute() / "decide" / "logs"),
    }
    built = subprocess.run(
        command, env={**os.environ, **paths}, cwd=scratch.data, capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise AudiencesError(f"The models did not build over the cases:\n{built.stdout[-4000:]}{built.stderr[-2000:]}")


def _asked(world: World, question: Question) -> dict[str, str | None]:
    return {
        "world": world.name,
        "question_id": worlds.question_id(world, question),
        "identifier": world.name + worlds.normal(question.identifier) if question.identifier else None,
        "record_key": worlds.record_key(world, question.record) if question.record else None,
    }


def _answer(world: World, place: int, found: Sequence[tuple[Any, ...]]) -> Answer:
    question = world.questions[place]
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
