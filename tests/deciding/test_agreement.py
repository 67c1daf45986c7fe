"""The oracle and the models answer random histories alike; `make agreement` asks all ten thousand, a test run a part.

Where one person stands alone, less than one answer in a thousand differs, and nobody is contacted whom the oracle
refuses. How people of a household are told apart is read differently more often, mostly in which reasons of an office's
address are named. The bounds below are what was measured of the worst part and a little more: they may be lowered and
never raised.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.home import Home
from tests.deciding.agreement import Difference, as_yaml, asking, differences, expecting
from tests.oracle.histories import numbered

HISTORIES = 10_000
#: A test run takes one of so many parts, another one every day.
PARTS = 10


@pytest.mark.parametrize(
    ("alone", "differing", "contacted"),
    [
        pytest.param(True, 0.002, 0.0, id="one person alone"),
        pytest.param(False, 0.053, 0.001, id="a household"),
    ],
)
def test_the_oracle_and_the_models_answer_random_histories_alike(
    tmp_path: Path, alone: bool, differing: float, contacted: float
) -> None:
    home = Home(tmp_path)
    home.data.mkdir()
    part = datetime.now(UTC).toordinal() % PARTS
    cases = [numbered(number, alone=alone) for number in range(part, HISTORIES, PARTS)]
    asked = sum(len(case.questions) for case in cases)
    found = differences(home, cases)
    dangerous = [one for one in found if one.models == ("ok",)]
    print(f"{len(found)} of {asked} answers differ, {len(dangerous)} of them where the models would contact somebody")
    assert len(dangerous) <= contacted * asked, _told(dangerous)
    assert len(found) <= differing * asked, _told(found)


def _told(found: list[Difference]) -> str:
    cases = [expecting(asking(one.case, one.place)) for one in found[:3]]
    return f"{len(found)} answers differ, such as\n" + as_yaml(cases)
