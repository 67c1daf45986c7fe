"""The models and the oracle answer alike about everybody of a generated shop, pulled and built as in production.

`python -m tests.deciding.population data/demo/data/published/warehouse.duckdb` asks about a shop that was built;
without a path it generates one, runs the daily job over it, and asks about that.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Iterator

import duckdb

from orchestration.deciding.cases import Case, Contact, Fact, Link, Question, Record, Scrub
from tests.deciding.agreement import RULES, Difference, as_yaml, asking, by_the_rules, expecting
from tests.deciding.shop_facts import facts
from tests.oracle import identifiers as ids
from tests.oracle.identity import record_id

NOBODY = ("no_identifier",)


@dataclass(frozen=True)
class Asked:
    """A household with its questions, and what the models answered to each."""

    case: Case
    models: list[tuple[str, ...]]


def households(connection: duckdb.DuckDBPyConnection) -> list[Asked]:
    """Everybody of a built shop, with every question of its audiences about every identifier of every person."""
    connection.execute("SET TimeZone = 'UTC'")
    [(as_of, known_at, policies)] = connection.execute("SELECT as_of, known_at, policies FROM marts.clock").fetchall()
    markets = policies["markets"].split(",")
    told = facts(connection)
    homes = _homes(told, markets)
    asked: dict[str, list[tuple[Question, tuple[str, ...]]]] = defaultdict(list)
    for question, codes in _questions(connection):
        asked[homes[str(question.record)]].append((question, codes))
    shared, own = _shared_out(told, homes, markets)
    return [
        Asked(
            Case(
                id=home,
                as_of=as_of,
                known_at=known_at,
                policy={"markets": markets},
                facts=[*own[home], *shared],
                questions=[question for question, _ in questions],
            ),
            [codes for _, codes in questions],
        )
        for home, questions in sorted(asked.items())
    ]


def differences(asked: Sequence[Asked]) -> list[Difference]:
    """The questions that the models answered otherwise than the oracle does."""
    with ProcessPoolExecutor(2) as others:
        oracle = list(others.map(by_the_rules, [one.case for one in asked], chunksize=20))
    return [
        Difference(one.case, place, answer.codes, models)
        for one, answers in zip(asked, oracle, strict=True)
        for place, (answer, models) in enumerate(zip(answers, one.models, strict=True))
        if answer.codes != models and not (models == NOBODY and answer.codes[0] != "ok")
    ]


def _questions(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Question, tuple[str, ...]]]:
    """Each decision as a question about a record of its person, in that record's own spelling.

    What a record shows and no decision is about is asked too: nothing is sent there.
    """
    rows = connection.execute(
        """
        WITH records AS (
            SELECT * FROM intermediate.customer_records_latest JOIN intermediate.person_records USING (record_key)
        ),

        shown AS (
            SELECT person_id, record_key, 'email' AS kind, email AS spelled, email_key AS identifier
            FROM records WHERE email IS NOT NULL AND deleted_at IS NULL
            UNION ALL
            SELECT person_id, record_key, 'phone', phone, phone_key
            FROM records WHERE phone IS NOT NULL AND deleted_at IS NULL
            UNION ALL
            SELECT person_id, record_key, 'person', NULL, person_id FROM records
        ),

        once AS (
            SELECT person_id, kind, identifier,
                arg_min(struct_pack(record_key, spelled), record_key) AS there
            FROM shown GROUP BY person_id, kind, identifier, CASE WHEN identifier IS NULL THEN spelled END
        )

        SELECT once.there.record_key, once.there.spelled, questions.channel, questions.purpose, questions.topic,
            questions.sender, questions.product_category, decisions.reason_codes
        FROM once
        JOIN marts.questions AS questions ON once.kind = questions.identifier_type
        LEFT JOIN marts.decisions AS decisions
            ON once.person_id = decisions.person_id
            AND once.identifier = decisions.identifier
            AND questions.question_id = decisions.question_id
        ORDER BY ALL
        """
    ).fetchall()
    for record, spelled, channel, purpose, topic, sender, category, codes in rows:
        question = Question(
            channel=channel, purpose=purpose, topic=topic, sender=sender, category=category, record=record,
            identifier=spelled,
        )  # fmt: skip
        yield question, tuple(codes or NOBODY)


def _homes(told: Iterable[Fact], markets: Sequence[str]) -> dict[str, str]:
    """Which household each record and each key of an identifier belongs to: all that share any key, or a link."""
    parent: dict[str, str] = {}

    def find(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for fact in told:
        nodes = _nodes(fact, markets)
        for node in nodes:
            first, second = sorted((find(nodes[0]), find(node)))
            parent[second] = first
    return {node: find(node) for node in [*parent]}


def _nodes(fact: Fact, markets: Sequence[str]) -> list[str]:
    """The records and the keys of identifiers that a fact is about, its own record first."""
    if isinstance(fact, Contact):
        return []
    if isinstance(fact, Link):
        return list(fact.records)
    nodes = []
    if record := getattr(fact, "record", None):
        nodes.append(record_id(fact.platform, fact.account, record))  # type: ignore[union-attr]
    for name in ("email", "phone", "identifier"):
        if raw := getattr(fact, name, None):
            nodes += sorted(ids.email_keys(raw) if ids.is_email(raw) else ids.phone_own_keys(raw, tuple(markets)))
    if isinstance(fact, Record):
        nodes += [f"external:{holder}:{text.strip()}" for holder, text in sorted(fact.external_ids.items())]
    return nodes


def _shared_out(
    told: Iterable[Fact], homes: dict[str, str], markets: Sequence[str]
) -> tuple[list[Fact], dict[str, list[Fact]]]:
    """The facts that are about everybody, such as a comparison with a whole registry, and those of each household."""
    everybody: list[Fact] = []
    own: dict[str, list[Fact]] = defaultdict(list)
    for fact in told:
        whole = isinstance(fact, Scrub) and (fact.identifier is None or fact.identifier.startswith("@"))
        if whole or isinstance(fact, Contact):
            everybody.append(fact)
        elif nodes := _nodes(fact, markets):
            own[homes[nodes[0]]].append(fact)
    return everybody, own


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("warehouse", type=Path)
    given = options.parse_args()
    began = time.monotonic()
    with duckdb.connect(str(given.warehouse), read_only=True) as connection:
        asked = households(connection)
    print(f"{len(asked)} households, {sum(len(one.models) for one in asked)} questions {time.monotonic() - began:.1f}")
    found = differences(asked)
    print(f"{len(found)} differ, {time.monotonic() - began:.1f}")
    kinds: dict[tuple[str, str], list[Difference]] = defaultdict(list)
    for one in found:
        question = one.case.questions[one.place]
        kinds[one.kind, f"{question.channel} {question.purpose} {question.category}"].append(one)
    for kind, many in sorted(kinds.items(), key=lambda pair: -len(pair[1])):
        print(len(many), *kind, "|", *(f"{one.case.questions[one.place].identifier}" for one in many[:8]))


if __name__ == "__main__":
    main()
