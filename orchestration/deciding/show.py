"""What `audiences decide` prints: every question with its answer, and where that is not the expected one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dlt_sources.errors import ConfigurationError
from orchestration import console
from orchestration.deciding.cases import Question, load
from orchestration.deciding.decide import Answer, decide_with_plans
from orchestration.deciding.planning import PlanAnswer
from orchestration.home import Home


def show(path: Path, *, as_json: bool) -> int:
    """Decide a file's cases and print the answers; 1 when some are not the expected ones, 2 for an unreadable file."""
    try:
        cases = load(path)
    except (ConfigurationError, OSError) as error:
        console.err.print(str(error))
        return 2
    answers, planned = decide_with_plans(Home.current(), cases)
    wrong: list[Answer | PlanAnswer] = [answer for answer in answers if answer.unexpected]
    wrong += [answer for answer in planned if answer.unexpected]
    if as_json:
        console.print_json(
            [asdict(answer) | {"question": answer.question.model_dump()} for answer in answers]
            + [asdict(answer) | {"plan": answer.plan.model_dump()} for answer in planned]
        )
        return int(bool(wrong))
    rows = [
        (
            answer.case,
            _asked(answer.question),
            "yes" if answer.eligible else "no",
            ", ".join(answer.reason_codes),
            ", ".join(answer.evidence),
            f"{answer.next_change_at:%Y-%m-%d %H:%M}" if answer.next_change_at else "",
            "; ".join(answer.unexpected),
        )
        for answer in answers
    ]
    columns = ["case", "question", "eligible", "reasons", "evidence", "next change", "not as expected"]
    console.out.print(console.table(f"{len(cases)} cases", columns, rows))
    if planned:
        written = [
            (one.case, one.plan.platform, one.plan.operation, one.plan.identifier, "yes" if one.allowed else "no",
             one.because, "; ".join(one.unexpected))
            for one in planned
        ]  # fmt: skip
        columns = ["case", "platform", "write", "identifier", "allowed", "because", "not as expected"]
        console.out.print(console.table("Planned writes", columns, written))
    console.out.print(_summary(answers, planned, wrong))
    return int(bool(wrong))


def _asked(question: Question) -> str:
    parts = [question.channel, question.category if question.category != "none" else "", question.identifier or ""]
    parts += [question.purpose if question.purpose != "marketing" else "", question.topic.replace("*", "")]
    return " ".join(part for part in parts if part)


def _summary(answers: Sequence[Answer], planned: Sequence[PlanAnswer], wrong: Sequence[Answer | PlanAnswer]) -> str:
    expected = sum(answer.question.eligible is not None for answer in answers)
    expected += sum(one.plan.allowed is not None for one in planned)
    version = next((answer.rule_version for answer in answers if answer.rule_version), "none")
    return (
        f"{len(answers)} questions, {len(planned)} planned writes, {expected} with an expectation, "
        f"{len(wrong)} not as expected; rules {version}."
    )
