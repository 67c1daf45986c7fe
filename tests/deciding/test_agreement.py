"""The oracle and the models agree on random histories; `make agreement` asks all ten thousand, a test run a part."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from orchestration.home import Home
from tests.deciding.agreement import as_yaml, differences, expecting, made_small
from tests.oracle.histories import numbered

HISTORIES = 10_000
#: A test run takes one of so many parts, another one every day.
PARTS = int(os.environ.get("AUDIENCES_AGREEMENT_PARTS", "4"))


def test_the_oracle_and_the_models_agree_on_random_histories(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = Home(tmp_path_factory.mktemp("agreement"))
    home.data.mkdir()
    part = datetime.now(UTC).toordinal() % PARTS
    found = differences(home, [numbered(number) for number in range(part, HISTORIES, PARTS)])
    first = found[:3]
    assert not found, f"{len(found)} answers differ, such as\n" + as_yaml(
        [expecting(case) for case in made_small(home, first)]
    )
