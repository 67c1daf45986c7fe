"""The newest run: which job, when it began and ended, what failed; and where its report lies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from dlt_sources.errors import AudiencesError
from orchestration.activation.catalogue import replace_file
from orchestration.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. `ended_at` is None while it is under way, and for ever when it was killed."""

    run_id: str
    job: str
    started_at: datetime
    ended_at: datetime | None = None
    failures: tuple[str, ...] = ()


def begin(home: Home, run_id: str, job: str) -> Run:
    """Put a run on record as under way."""
    return _write(home, Run(run_id=run_id, job=job, started_at=datetime.now(UTC)))


def end(home: Home, run: Run, failures: Iterable[str]) -> Run:
    """Put a run on record as ended."""
    return _write(home, replace(run, ended_at=datetime.now(UTC), failures=tuple(failures)))


def newest(home: Home) -> Run | None:
    """The newest run on record; None before the first one, or when the record cannot be read."""
    try:
        values = orjson.loads(_file(home).read_bytes())
        times = {name: datetime.fromisoformat(values[name]) for name in ("started_at", "ended_at") if values[name]}
        return Run(**{**values, **times, "failures": tuple(values["failures"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def report_path(home: Home) -> Path:
    """The report of the newest run."""
    return home.published / "report.html"


def kept_path(home: Home, run: Run) -> Path:
    """Where the report of one run is kept."""
    return home.published / "reports" / f"{run.started_at:%Y%m%dT%H%M%SZ}-{run.job}-{run.run_id[:8]}.html"


def current_path(home: Home) -> Path:
    """Where the report of the run that is under way will be kept."""
    run = newest(home)
    return kept_path(home, run) if run else report_path(home)


def failure(step: str, error: Any) -> str:
    """A failed step for the report: our own errors in words; of any other its kind, since its text may quote a value.

    `error` is Dagster's serialized error, or None.
    """
    while error is not None and error.cause is not None:
        error = error.cause
    kind = error.cls_name if error is not None else ""
    if kind not in {one.__name__ for one in _kinds(AudiencesError)}:
        return f"{step}: {kind or 'failed'}; the run's page in Dagster says where."
    return f"{step}: {error.message.partition(': ')[2].strip()}"


def _kinds(kind: type[AudiencesError]) -> Iterable[type[AudiencesError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


def _file(home: Home) -> Path:
    return home.published / "run.json"


def _write(home: Home, run: Run) -> Run:
    home.published.mkdir(parents=True, exist_ok=True)
    replace_file(_file(home), orjson.dumps(asdict(run)))
    return run
