"""`audiences lane`: asks a person the questions that lead to an event's lane."""

from __future__ import annotations

import typer

from orchestration import console
from orchestration.landing.lanes import QUESTIONS, decide


def choose_lane(*, as_json: bool = False) -> None:
    """Ask until an answer settles it, then say the lane and why; questions go to standard error."""
    answers: list[bool] = []
    for question in QUESTIONS:
        answers.append(typer.confirm(question.text, err=True))
        if answers[-1]:
            break
    lane, because = decide(answers)
    if as_json:
        console.print_json({"lane": lane, "because": because, "answers": answers})
    else:
        console.out.print(f"[bold]{lane}[/bold]: {because}.")
