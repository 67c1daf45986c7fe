"""`audiences lane`: the questions that lead to a lane."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.landing.lanes import QUESTIONS


@pytest.mark.parametrize(
    ("answers", "lane"),
    [("y", "speed"), ("nny", "care"), ("nnny", "segmentation"), ("nnnny", "speed"), ("nnnnnn", "care")],
)
def test_asking_stops_at_the_first_yes_and_names_lane_and_reason(answers: str, lane: str) -> None:
    result = CliRunner().invoke(app, ["lane", "--json"], input="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout[result.stdout.index("{") :])  # after the runner's echo of the answers
    assert told["lane"] == lane
    assert len(told["answers"]) == len(answers)
    assert result.stderr.count("[y/N]") == len(answers)
    question = QUESTIONS[len(answers) - 1]
    assert told["because"] == (question.because if answers.endswith("y") else told["because"])
    assert told["because"]


def test_nobody_there_to_answer_ends_the_command() -> None:
    result = CliRunner().invoke(app, ["lane"], input="")
    assert result.exit_code == 1
