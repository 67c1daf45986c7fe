"""A fault in the SQL that decides is noticed: each of these by a case file, a random history or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from orchestration.deciding.cases import load
from orchestration.deciding.decide import Answer
from orchestration.home import Home
from tests.deciding.mutants import Built, Mutant
from tests.oracle.histories import numbered

HISTORIES = 150
CASES = Path(__file__).parents[1] / "cases" / "consent_and_age.yaml"
FAULTS = [Mutant(**told) for told in yaml.safe_load(Path(__file__).with_name("faults.yaml").read_text())]


@pytest.fixture(scope="module")
def built(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(
        home, tmp_path_factory.mktemp("mutants"), [*load(CASES), *(numbered(number) for number in range(HISTORIES))]
    )


@pytest.fixture(scope="module")
def right(built: Built) -> Sequence[Answer]:
    return built.answers()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_noticed(built: Built, right: Sequence[Answer], fault: Mutant) -> None:
    wrong = built.with_fault(fault)
    changed = [
        (one, other)
        for one, other in zip(right, wrong, strict=True)
        if (one.eligible, one.reason_codes) != (other.eligible, other.reason_codes)
    ]
    in_cases = {other.case for _, other in changed if other.unexpected and not other.case.startswith("history-")}
    in_histories = {other.case for _, other in changed if other.case.startswith("history-")}
    print(f"{fault.name}: {len(in_cases)} cases ({', '.join(sorted(in_cases)[:3])}), {len(in_histories)} histories")
    assert in_cases or in_histories
