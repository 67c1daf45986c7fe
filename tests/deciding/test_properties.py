"""What must hold of any history: a thousand random ones, decided by the models of production in two builds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from orchestration.deciding.cases import Case, Plan
from orchestration.deciding.decide import Answer, decide_with_plans
from orchestration.deciding.worlds import question_of
from orchestration.home import Home
from tests.deciding.agreement import answers, as_yaml, asking
from tests.deciding.trials import PASSED, Trial, as_known, later_trials, trials
from tests.oracle.assumed import GRANT_OPERATIONS
from tests.oracle.histories import numbered

HISTORIES = 1_000
#: Of the properties as many are tried on each history, and of those that start from its answers one.
TRIED = 2
#: Histories with planned writes.
PLANNED = 40
#: The writes of our destinations; anything else is in a platform's own words.
OURS = ("add", "remove", "suppress")
seeds = st.integers(0, 999_999)


@settings(max_examples=1, derandomize=True, phases=[Phase.generate], database=None)
@given(seed=seeds)
def test_the_properties_hold_of_random_histories(home: Home, seed: int) -> None:
    chance = Random(seed)
    numbers = chance.sample(range(1_000_000), HISTORIES)
    cases = [as_known(numbered(number)) for number in numbers]
    made = [trial for case in cases for trial in chance.sample(trials(case, chance), TRIED)]
    told = answers(home, [*cases, *_both(made)])
    later = [
        chance.choice(possible)
        for case, answered in zip(cases, told[: len(cases)], strict=True)
        if (possible := later_trials(case, answered, chance))
    ]
    pairs = [*_paired(made, told[len(cases) :]), *_paired(later, answers(home, _both(later)))]
    broken = [(one.trial, one.place, wrong) for one in pairs if (wrong := one.trial.relation(one.first, one.second))]
    assert not broken, report(broken)
    awaited = [one for one in pairs if one.trial.name == PASSED]
    came = [one for one in awaited if one.first.reason_codes != one.second.reason_codes]
    assert len(came) * 4 >= len(awaited) > 0, "a next change that mostly brings nothing says little"


@settings(max_examples=1, derandomize=True, phases=[Phase.generate], database=None)
@given(seed=seeds)
def test_no_plan_grants_anything_and_lists_take_only_who_may_be_written_to(home: Home, seed: int) -> None:
    """P9: whoever consented where, no plan holds a write that consents for them."""
    numbers = Random(seed).sample(range(1_000_000), PLANNED)
    answered, planned = decide_with_plans(home, [planning(numbered(number)) for number in numbers])
    may = {(one.case, one.question.identifier): one.eligible for one in answered}
    granted = [one.plan for one in planned if one.allowed and one.plan.operation not in OURS]
    assert granted == []
    added = {(one.case, one.plan.identifier) for one in planned if one.allowed and one.plan.operation == "add"}
    assert {one for one in added if not may[one]} == set()
    assert len(added) > len(numbers) // 4, "plans that hold nobody prove nothing"


def planning(case: Case) -> Case:
    """The case with every write that one of its platforms may be asked for, and the question that decides on it."""
    asked = next(question for question in case.questions if question.identifier)
    assert asked.identifier is not None
    shown = [fact for fact in case.facts if fact.fact == "record"]
    plans = [
        Plan(platform=record.platform, operation=operation, identifier=asked.identifier)
        for record in shown[:1]
        for operation in ("add", "suppress", *GRANT_OPERATIONS.get(record.platform, ()))
    ]
    return case.model_copy(update={"plans": plans, "questions": [question_of(plan) for plan in plans[:1]]})


class Pair(NamedTuple):
    """One question of a trial, and what the models say to it in each of the two cases."""

    trial: Trial
    place: int
    first: Answer
    second: Answer


def _both(made: Sequence[Trial]) -> list[Case]:
    return [case for trial in made for case in (trial.first, trial.second)]


def _paired(made: Sequence[Trial], told: Sequence[Sequence[Answer]]) -> list[Pair]:
    """The answers to both cases of every trial."""
    return [
        Pair(trial, place, one, other)
        for number, trial in enumerate(made)
        for place, (one, other) in enumerate(zip(told[2 * number], told[2 * number + 1], strict=True))
    ]


def report(broken: Sequence[tuple[Trial, int, str]]) -> str:
    """How often each property fails, and one pair of cases of each as a file for `audiences decide`."""
    counted = Counter(trial.name for trial, _, _ in broken)
    lines = [f"{count} of {name}" for name, count in counted.most_common()]
    for name in counted:
        trial, place, wrong = min(
            (one for one in broken if one[0].name == name), key=lambda one: len(one[0].second.facts)
        )
        pair = [
            asking(case, place).model_copy(update={"id": f"{case.id}-{which}", "title": name})
            for which, case in (("first", trial.first), ("second", trial.second))
        ]
        lines.append(f"--- {name}: {wrong}\n{as_yaml(pair)}")
    return "\n".join(lines)
