"""Dagster resources: the house (home folder, state, the warehouse's turn) and the dbt command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import ConfigurableResource, DagsterEventType, InitResourceContext
from dagster_dbt import DbtCliResource
from filelock import FileLock
from pydantic import PrivateAttr

from orchestration import stations
from orchestration.activation.state import State
from orchestration.home import DBT_PROJECT, Home
from orchestration.reporting import runs
from orchestration.reporting.runs import Run

#: The pool whose single slot every op that touches the warehouse takes.
WAREHOUSE = "warehouse"


class House(ConfigurableResource[Any]):
    """One run's view of the house: its home and its state, with the build's turn held from first op to last.

    Dagster's pool keeps Dagster's own runs apart; the file lock also keeps apart a run started from the command line.
    Whatever became of the run, its report is written before the turn is given back.
    """

    _state: State | None = PrivateAttr(default=None)

    @property
    def home(self) -> Home:
        """The home folder this process works in."""
        return Home.current()

    @property
    def state(self) -> State:
        """The state stores, opened when first asked for."""
        if self._state is None:
            self._state = State.of(self.home)
        return self._state

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[House]:
        """Wait for the build's turn, hold it for the run, let go of everything at its end."""
        self.home.data.mkdir(parents=True, exist_ok=True)
        with FileLock(self.home.data / "build.lock"):
            former = runs.newest(self.home)
            if former is not None and former.ended_at is None:
                self._report(context, former)
            run = runs.begin(self.home, *_name(context))
            stations.begin(self.home)
            try:
                yield self
            finally:
                if self._state is not None:
                    self._state.close()
                self._report(context, runs.end(self.home, run, _failures(context)))

    def _report(self, context: InitResourceContext, run: Run) -> None:
        """Write a run's report; a run is not worse for want of one."""
        from orchestration.reporting import page

        try:
            page.write(self.home, run)
        except Exception as error:
            if context.log is not None:
                context.log.warning("The report could not be written (%s): `audiences report`.", type(error).__name__)


def _name(context: InitResourceContext) -> tuple[str, str]:
    """The run's id and its job; empty where a resource is used outside a run."""
    return (context.run.run_id, context.run.job_name) if context.run else ("", "")


def _failures(context: InitResourceContext) -> list[str]:
    """The steps of this run that have failed so far, with what may be said of their errors."""
    if context.instance is None or context.run is None:
        return []
    failed = context.instance.all_logs(context.run.run_id, of_type=DagsterEventType.STEP_FAILURE)
    events = [entry.dagster_event for entry in failed if entry.dagster_event is not None]
    return [runs.failure(event.step_key or "", event.step_failure_data.error) for event in events]


def dbt_cli(home: Home) -> DbtCliResource:
    """The dbt command line of this environment, writing into the home's own folder."""
    return DbtCliResource(
        project_dir=str(DBT_PROJECT),
        profiles_dir=str(DBT_PROJECT),
        dbt_executable=str(Path(sys.executable).parent / "dbt"),
        global_config_flags=["--no-use-colors", "--no-send-anonymous-usage-stats"],
    )
