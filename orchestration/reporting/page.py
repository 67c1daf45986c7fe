"""The report's page: what was collected, put into the template and swapped into its place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from orchestration.activation.catalogue import replace_file
from orchestration.activation.comparison import APART, CAUSES
from orchestration.activation.funnel import Funnel
from orchestration.activation.newly_eligible import NewlyEligible
from orchestration.home import Home
from orchestration.reporting import charts, exposures, runs
from orchestration.reporting.facts import Report, collect
from orchestration.reporting.runs import Run

#: Reports kept of each job, so that frequent small runs do not drive out those of the daily one.
KEPT = 30


def write(home: Home, run: Run | None, *, under_way: bool = False) -> Path:
    """Write the report of a run from what there is now, and keep the last `KEPT` of its job.

    `under_way` says that the run has not ended yet, rather than that it was cut off.
    """
    content = render(home, collect(home, run, under_way=under_way)).encode()
    path = runs.report_path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    if run is not None:
        kept = runs.kept_path(home, run)
        kept.parent.mkdir(exist_ok=True)
        replace_file(kept, content)
        for old in sorted(kept.parent.glob(f"*-{run.job}-*.html"))[:-KEPT]:
            old.unlink()
    replace_file(path, content)
    return path


def render(home: Home, report: Report) -> str:
    """The page as HTML; it loads nothing from anywhere."""
    environment = Environment(
        loader=PackageLoader("orchestration.reporting"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "time": _time, "age": lambda at: _age(at, report.now), "lasts": _lasts}
    return environment.get_template("report.html.j2").render(
        report=report,
        data_docs=home.data_docs / "index.html",
        chart=_Charts(report),
        causes=CAUSES,
        apart=APART,
        css=Markup((Path(__file__).parent / "templates" / "report.css").read_text()),  # noqa: S704 (our own file)
    )


class _Charts:
    """The pictures of one report, as markup that the template takes as it is."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def funnel(self, funnel: Funnel) -> Markup:
        return Markup(charts.funnel(funnel.steps()))  # noqa: S704 (the library escapes its labels)

    def newly(self, found: NewlyEligible) -> Markup:
        steps = [(text, found.by_cause[cause]) for cause, text in CAUSES.items() if cause in found.by_cause]
        return Markup(charts.funnel(steps))  # noqa: S704 (the library escapes its labels)

    def consent(self) -> Markup:
        rows = self._report.consent
        parts = ("granted", "withdrawn", "asked_only", "nothing_known")
        return self._shares([f"{one.platform} {one.channel}" for one in rows], rows, parts)

    def ages(self) -> Markup:
        rows = self._report.ages
        parts = ("of_age", "under_age", "in_conflict", "too_weak", "no_evidence")
        return self._shares([f"{one.product_category} {one.channel}" for one in rows], rows, parts)

    def exposures(self) -> Markup:
        rows = self._report.exposures
        labels = [f"{one.platform} {one.channel}" + (" lists" if one.send_kind == "membership" else "") for one in rows]
        return Markup(charts.shares(labels, list(exposures.parts(rows).items())))  # noqa: S704 (labels are escaped)

    def _shares(self, labels: Sequence[str], rows: Sequence[Any], parts: Sequence[str]) -> Markup:
        series = [(part.replace("_", " "), [getattr(row, part) for row in rows]) for part in parts]
        return Markup(charts.shares(labels, series))  # noqa: S704 (the library escapes its labels)


def _number(value: float) -> str:
    return f"{value:,}"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"


def _age(at: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    if at is None:
        return "never"
    seconds = max(0, (now - at).total_seconds())
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "less than a minute ago"


def _lasts(seconds: float) -> str:
    """A duration as people read it: 45 ms, 1.2 s, 3 min 5 s."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
