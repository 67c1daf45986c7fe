"""The page of one answer: a timeline of what is recorded, against the decision; it loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from orchestration.activation.answer import Answer, Person
from orchestration.activation.evidence import Evidence

_TEMPLATES = Path(__file__).parent / "templates"
_REPORT_CSS = Path(__file__).parents[1] / "reporting" / "templates" / "report.css"
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One fact on the timeline; all places are percent of its width. `open` bars begin before what is known."""

    fact: Evidence
    left: float
    width: float
    recorded: float | None
    open: bool
    counts: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """The facts of one person in their order, the ticks of the scale, and where the question stands."""

    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]
    as_of: float | None
    known_at: float | None


def write(path: Path, answer: Answer) -> None:
    """Write the page."""
    path.write_text(render(answer), encoding="utf-8")


def render(answer: Answer) -> str:
    """The page as HTML."""
    return _render(
        "why.html.j2",
        answer=answer,
        timelines=[(person, timeline(answer, person)) for person in answer.people],
        now=datetime.now(UTC),
    )


def index(
    answer: Answer, files: Sequence[Mapping[str, Any]], contents: Mapping[str, str], *, actor: str, at: datetime
) -> str:
    """The first page of an evidence pack: what it is about, and each file with its hash."""
    return _render("pack.html.j2", answer=answer, files=files, contents=contents, actor=actor, at=at)


def _render(template: str, **values: Any) -> str:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("orchestration.proving"), PackageLoader("orchestration.reporting")]),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"time": _time, "percent": lambda value: f"{value:.2f}%"}
    css = _REPORT_CSS.read_text() + (_TEMPLATES / "why.css").read_text()
    return environment.get_template(template).render(css=Markup(css), **values)  # noqa: S704 (our own files)


def timeline(answer: Answer, person: Person) -> Timeline:
    """Lay a person's facts out on one scale, oldest first; facts that a decision rests on count."""
    facts = sorted(_facts(person), key=lambda one: (_end(one) or datetime.max.replace(tzinfo=UTC), one.id))
    times = [at for one in facts for at in (one.effective_lo, one.effective_hi, one.at, one.recorded_at) if at]
    times += [at for at in (answer.as_of, answer.known_at) if at]
    first, last = min(times, default=datetime.now(UTC)), max(times, default=datetime.now(UTC))
    # A little room, so that a mark at either end can be seen.
    room = max((last - first) / 50, timedelta(hours=1))
    first, last = first - room, last + room

    def place(at: datetime) -> float:
        return 100 * (at - first) / (last - first)

    used = {one.id for audience in person.audiences for verdict in audience.verdicts for one in verdict.evidence}
    bars = []
    for one in facts:
        hi = _end(one)
        if hi is None:
            continue
        lo = one.effective_lo or (first if one.kind == "statement" else hi)
        end = max(hi, lo)
        bars.append(
            Bar(
                fact=one,
                left=place(lo),
                width=max(place(end) - place(lo), 0.0),
                recorded=place(one.recorded_at) if one.recorded_at else None,
                open=one.effective_lo is None and one.kind == "statement",
                counts=one.id in used,
            )
        )
    step = (last - first) / _TICKS
    ticks = [(100 * number / _TICKS, f"{first + number * step:%Y-%m-%d}") for number in range(_TICKS)]
    return Timeline(
        bars=bars,
        ticks=ticks,
        as_of=place(answer.as_of) if answer.as_of else None,
        known_at=place(answer.known_at) if answer.known_at else None,
    )


def _facts(person: Person) -> Iterable[Evidence]:
    """Everything recorded, and acts that decisions rest on besides."""
    found = {one.id: one for one in person.facts}
    for audience in person.audiences:
        for verdict in audience.verdicts:
            found |= {one.id: one for one in verdict.evidence}
    return found.values()


def _end(one: Evidence) -> datetime | None:
    """When a statement had been made for certain; a suppression that stands, and a proof, have a beginning only."""
    return one.effective_hi if one.kind == "statement" else one.at or one.effective_lo


def _time(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "not known"
