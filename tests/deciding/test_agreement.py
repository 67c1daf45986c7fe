"""The oracle and the models answer random histories alike; `make agreement` asks all ten thousand, a test run a part.

Nobody is contacted whom the oracle refuses. Where one person stands alone, less than one answer in two thousand
differs; in a household one in two hundred, by a reason more beside others. The bounds below are what was measured of
the worst part and a little more: they may be lowered and never raised.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestration.home import Home
from tests.deciding.agreement import Difference, as_yaml, asking, differences, expecting
from tests.oracle.histories import numbered

HISTORIES = 10_000
#: A test run takes one of so many parts, another one every day.
PARTS = 10


@pytest.mark.parametrize(
    ("alone", "differing"),
    [
        pytest.param(True, 0.001, id="one person alone"),
        pytest.param(False, 0.011, id="a household"),
    ],
)
def test_the_oracle_and_the_models_answer_random_histories_alike(home: Home, alone: bool, differing: float) -> None:
    part = datetime.now(UTC).toordinal() % PARTS
    cases = [numbered(number, alone=alone) for number in range(part, HISTORIES, PARTS)]
    asked = sum(len(case.questions) for case in cases)
    found = differences(home, cases)
    dangerous = [one for one in found if one.models == ("ok",)]
    print(f"{len(found)} of {asked} answers differ, {len(dangerous)} of them where the models would contact somebody")
    assert not dangerous, _told(dangerous)
    assert len(found) <= differing * asked, _told(found)


def _told(found: list[Difference]) -> str:
    cases = [expecting(asking(one.case, one.place)) for one in found[:3]]
    return f"{len(found)} answers differ, such as\n" + as_yaml(cases)
