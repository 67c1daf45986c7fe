"""Running a Dagster job from the command line, in this process, with a line per station as it ends."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import redirect_stdout
from typing import Any

from orchestration import instance, stations
from orchestration.home import Home

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute(job: str) -> list[str]:
    """Run `job` against this home's Dagster instance and return what failed (nothing on success).

    The run appears in the Dagster UI like any other; what dbt prints goes to `data/logs/run.log`.
    """
    home = Home.current()
    instance.prepare(home)
    debug = bool(os.environ.get("AUDIENCES_DEBUG"))
    if not debug:
        logging.disable(logging.WARNING)
    from dagster import DagsterInstance

    from orchestration.definitions import defs

    config: dict[str, Any] = {} if debug else _QUIET
    log = home.data / "logs" / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with DagsterInstance.get() as current, log.open("w") as file, redirect_stdout(sys.stdout if debug else file):
        result = defs.resolve_job_def(job).execute_in_process(instance=current, raise_on_error=False, run_config=config)
        return [_failure(event) for event in result.all_events if event.is_step_failure]


def run_job(job: str, *, as_json: bool) -> int:
    """Run `job` and print its stations; the exit code is 1 when a step or a segment failed."""
    from orchestration import building, console
    from orchestration.reporting.runs import report_path

    home = Home.current()
    if not as_json:
        console.err.print(f"Running {job} ...")
        stations.listen(lambda station: console.err.print(console.station_line(station)))
    failures = execute(job)
    figures = stations.read(home)
    problems = [] if failures else building.read(home).problems
    report = report_path(home)
    if as_json:
        console.print_json(
            {"job": job, "stations": figures, "failures": failures, "problems": problems, "report": report}
        )
    else:
        console.out.print(console.stations_table(figures))
        for text in [*failures, *problems]:
            console.err.print(text, style="red")
        console.out.print(f"Report: {report}")
    return 1 if failures or problems else 0


def _failure(event: Any) -> str:
    """The step and the innermost error of a failed step."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    text = error.message.strip() if error is not None else "failed"
    return f"{event.step_key}: {text}"
