"""The models and the oracle answer alike about everybody of a generated shop, pulled and built as in production.

Records that share any identifier are one household and one case of its own, so that the oracle stays fast.
`python -m tests.deciding.population` generates a shop, runs the daily job over it, asks about everybody and prints what
differs, the commonest first; with the path of a published copy it asks about that shop.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.deciding.cases import Case, Contact, Fact, Link, Question, Record, Review, Scrub
from tests.deciding.agreement import Difference, by_the_rules
from tests.deciding.shop_builds import ask_more, generated
from tests.deciding.shop_facts import facts
from tests.oracle import identifiers as ids
from tests.oracle.identity import record_id

NOBODY = ("no_identifier",)
#: Codes that only one of the two names of somebody whom both refuse, and why neither is wrong by the rules' words.
REMAINING = {
    "no_grant": "a `subscribed` in the very second of another tool's opt-out is an echo, or a grant that lifts nothing",
    "age_conflict": "one user of an address is proven and another young: a conflict of the address, or of nobody",
    "age_no_evidence": "one user of an address has no proof and another is young: the codes of each, or of the worse",
    "capacity_void": "one user of an address was too young when the other consented",
    "capacity_unproven": "one user of a number was not proven when the other consented",
    "jurisdiction_unknown": "an address that is nobody's has no users whose place counts, or has all who show it",
    "category_prohibited_there": "an address of an office or of nobody: the law of all its users, or its own",
    "category_prohibited_on_channel": "the same",
    "withdrawn": "an unsubscription from texts at a platform ends picture messages as STOP does, or texts alone",
}


@dataclass(frozen=True)
class Asked:
    """A household with its questions, and what the models answered to each."""

    case: Case
    models: list[tuple[str, ...]]


def households(warehouse: Path) -> list[Asked]:
    """Everybody of a built shop, with every question of its audiences about every identifier of every person."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return _households(connection)


def _households(connection: duckdb.DuckDBPyConnection) -> list[Asked]:
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


def unexplained(found: Iterable[Difference]) -> list[Difference]:
    """The differences that no known reason explains, or in which only one of the two would contact somebody."""
    return [one for one in found if not {*one.oracle} ^ {*one.models} <= REMAINING.keys()]


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
        nodes.append(record_id(fact.platform, fact.account, record))
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
    known: dict[str, str] = {}
    for fact in sorted(told, key=lambda fact: isinstance(fact, Review)):
        if isinstance(fact, Review):
            if fact.of in known:
                own[known[fact.of]].append(fact)
        elif isinstance(fact, Contact) or (isinstance(fact, Scrub) and (fact.identifier or "@").startswith("@")):
            everybody.append(fact)
        elif nodes := _nodes(fact, markets):
            known[fact.id] = homes[nodes[0]]
            own[known[fact.id]].append(fact)
    return everybody, own


def told(asked: Sequence[Asked], found: Sequence[Difference]) -> str:
    """How many answers differ, and of each kind how many and about whom."""
    kinds: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in found:
        question = one.case.questions[one.place]
        kind = (one.kind, question.channel, question.purpose, question.category)
        kinds[kind].append(question.identifier or str(question.record))
    lines = [
        f"{len(who):6} {' '.join(kind)}   {' '.join(sorted(set(who))[:4])}"
        for kind, who in sorted(kinds.items(), key=lambda pair: -len(pair[1]))
    ]
    everything = sum(len(one.models) for one in asked)
    return "\n".join([f"{len(asked)} households: {len(found)} of {everything} answers differ", *lines])


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("warehouse", type=Path, nargs="?", help="of a shop that was built; none: generate one")
    options.add_argument("--people", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        built = given.warehouse or generated(Path(folder) / "shop", given.people, given.seed)
        asked = households(ask_more(built, Path(folder) / "more"))
        print(told(asked, differences(asked)))


if __name__ == "__main__":
    main()
