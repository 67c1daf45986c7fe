"""The models and the oracle answer the same random histories; where they differ, one of them is wrong.

`python -m tests.deciding.agreement 0 10000` asks all ten thousand and prints what differs, the commonest first, each
with a history made as small as it goes, in the form that `audiences decide` reads.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestration.deciding.cases import Case, Question, Record
from orchestration.deciding.decide import decide
from orchestration.home import Home
from tests.oracle import Answer, Rules
from tests.oracle import decide as read_by_the_rules
from tests.oracle.histories import numbered

RULES = Rules.load()
#: Histories that one build answers: fewer pay dbt's start more often, many more pay memory.
BATCH = 2_500


@dataclass(frozen=True)
class Difference:
    """One question that the two answer otherwise."""

    case: Case
    place: int
    oracle: tuple[str, ...]
    models: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Whether somebody would be contacted, and which codes only one of the two gives."""
        words = []
        if (self.oracle == ("ok",)) != (self.models == ("ok",)):
            words.append("MODELS CONTACT" if self.models == ("ok",) else "models refuse")
        elif self.oracle[0] != self.models[0]:
            words.append("lead")
        words += [f"-{code}" for code in self.oracle if code not in self.models and code != "ok"]
        words += [f"+{code}" for code in self.models if code not in self.oracle and code != "ok"]
        return " ".join(words)


def answers(home: Home, cases: Sequence[Case]) -> list[list[Any]]:
    """The models' answers to each case, in one build; the cases' own names do not matter."""
    named = [asked_of_every_list(case).model_copy(update={"id": str(number)}) for number, case in enumerate(cases)]
    told: list[list[Any]] = [[] for _ in named]
    for answer in decide(home, named):
        told[int(answer.case)].append(answer)
    return [many[: len(case.questions)] for many, case in zip(told, cases, strict=True)]


def asked_of_every_list(case: Case) -> Case:
    """The case with a question more for each list and time: the models take a list that nobody asks about for all."""
    times = {(question.as_of, question.known_at) for question in case.questions}
    asked = [
        Question(channel="postal", topic=topic, as_of=as_of, known_at=known_at)
        for as_of, known_at in sorted(times, key=str)
        for topic in ("Wine", "Offers")
    ]
    return case.model_copy(update={"questions": [*case.questions, *asked]})


def differences(home: Home, cases: Sequence[Case]) -> list[Difference]:
    """The questions of these cases that the models answer otherwise than the oracle does."""
    found = []
    with ProcessPoolExecutor(2) as others:
        oracle = others.map(by_the_rules, cases, chunksize=100)
        models = answers(home, cases)
        for case, read, told in zip(cases, oracle, models, strict=True):
            for place, (one, other) in enumerate(zip(read, told, strict=True)):
                # No decision at all: the person does not show that identifier any more, and nothing is sent to it.
                if tuple(other.reason_codes) not in (one.codes, ("no_identifier",)):
                    found.append(Difference(case, place, one.codes, tuple(other.reason_codes)))
    return found


def by_the_rules(case: Case) -> list[Answer]:
    return read_by_the_rules(case, RULES)


def smaller(cases: Sequence[Case], fail: Callable[[Sequence[Case]], Sequence[bool]]) -> list[Case]:
    """Each failing case with as few facts as still fail; all cases are tried together, one build a round."""
    kept = list(cases)
    growing = list(range(len(kept)))
    while growing:
        tried = [(place, without) for place in growing for without in _with_one_fact_less(kept[place])]
        failed: dict[int, Case] = {}
        for (place, without), fails in zip(tried, fail([without for _, without in tried]), strict=True):
            if fails:
                failed.setdefault(place, without)
        for place, without in failed.items():
            kept[place] = without
        growing = sorted(failed)
    return kept


def _with_one_fact_less(case: Case) -> list[Case]:
    found = []
    for fact in case.facts:
        if isinstance(fact, Record):
            continue  # somebody has to be asked about
        left = [other for other in case.facts if other.id != fact.id and fact.id not in _named_by(other)]
        found.append(case.model_copy(update={"facts": left}))
    return found


def _named_by(fact: Any) -> tuple[str | None, ...]:
    return (getattr(fact, "of", None), getattr(fact, "write", None))


def made_small(home: Home, found: Sequence[Difference]) -> list[Case]:
    """The question of each difference alone, with as few facts as still make the same difference."""
    kinds = {str(number): one.kind for number, one in enumerate(found)}

    def fail(cases: Sequence[Case]) -> list[bool]:
        told = {id(one.case): one.kind for one in differences(home, cases)}
        return [told.get(id(case)) == kinds[case.title] for case in cases]

    cases = [
        asking(one.case, one.place).model_copy(update={"title": name}) for name, one in zip(kinds, found, strict=True)
    ]
    return smaller(cases, fail) if cases else []


def asking(case: Case, place: int) -> Case:
    """The case with one of its questions alone."""
    return case.model_copy(update={"questions": [case.questions[place]], "plans": []})


def as_yaml(cases: Sequence[Case]) -> str:
    """Cases as a file that `audiences decide` reads."""
    told = [case.model_dump(mode="json", exclude_defaults=True) for case in cases]
    return yaml.safe_dump({"cases": told}, sort_keys=False, allow_unicode=True, width=120)


def expecting(case: Case) -> Case:
    """The case with the oracle's answers as what is expected."""
    asked = [
        question.model_copy(update={"eligible": answer.eligible, "lead": answer.lead})
        for question, answer in zip(case.questions, by_the_rules(case), strict=True)
    ]
    return case.model_copy(update={"questions": asked})


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("first", type=int)
    options.add_argument("count", type=int)
    options.add_argument("--batch", type=int, default=BATCH)
    options.add_argument("--examples", type=int, default=0, help="of each kind, made small")
    options.add_argument("--only", default="", help="kinds that have this in their name")
    options.add_argument("--alone", action="store_true", help="one person each, so that nothing depends on identity")
    given = options.parse_args()
    found: list[Difference] = []
    questions, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.data.mkdir(parents=True)
        for first in range(given.first, given.first + given.count, given.batch):
            last = min(first + given.batch, given.first + given.count)
            cases = [numbered(number, alone=given.alone) for number in range(first, last)]
            questions += sum(len(case.questions) for case in cases)
            found += differences(home, cases)
            print(
                f"{first + len(cases)}: {len(found)} of {questions} differ, {time.monotonic() - began:.0f} s",
                flush=True,
            )
        words = Counter(
            word for one in found for word in one.kind.replace("MODELS ", "").replace("models ", "").split()
        )
        print(", ".join(f"{count} {word}" for word, count in words.most_common()))
        kinds: dict[str, list[Difference]] = defaultdict(list)
        for one in found:
            kinds[one.kind].append(one)
        for kind, count in Counter({kind: len(many) for kind, many in kinds.items()}).most_common():
            print(f"{count:6} {kind}   {' '.join(f'{one.case.id[8:]}.{one.place}' for one in kinds[kind][:4])}")
        common = sorted((kind for kind in kinds if given.only in kind), key=lambda kind: -len(kinds[kind]))[:40]
        chosen = [one for kind in common for one in kinds[kind][: given.examples]]
        for one, case in zip(chosen, made_small(home, chosen), strict=True):
            print(
                f"--- {one.kind}: the oracle says {one.oracle}, the models {one.models}\n{as_yaml([expecting(case)])}"
            )


if __name__ == "__main__":
    main()
