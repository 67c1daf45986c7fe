"""The second code location: the speed lane, as a sensor that tails the landing zone.

It imports neither dbt nor dlt and no part of the main location, so that whatever breaks there, an opt-out still takes
effect. One evaluation works for most of a minute (the server's limit for an answer), then the next one takes over;
what lands in between waits in the landing zone, where the gate sees it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DefaultSensorStatus, Definitions, SensorEvaluationContext, SkipReason, sensor

from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import State
from orchestration.home import Home

#: Dagster's daemon gives up on an answer after 60 s.
_SECONDS = 45.0


@sensor(
    name="speed_lane",
    minimum_interval_seconds=1,
    default_status=DefaultSensorStatus.RUNNING,
    description="Takes people out everywhere, as soon as a webhook says so: ledger, removals, withdrawals.",
)
def speed_lane(context: SensorEvaluationContext) -> SkipReason:
    """Work the speed lane for a while; it asks for no run, since a run takes longer than the work."""
    home = Home.current()
    state = State.of(home)
    try:
        with _stopping_with_the_server() as stop:
            done = Worker.of(home, state).run(stop, _SECONDS)
    finally:
        state.close()
    if done.stuck:
        context.log.error(f"{done.stuck} landing files cannot be read; nobody is added until they are.")
    return SkipReason(f"{done.requests} webhooks settled, {done.rows} new ledger rows, {done.calls} calls owed.")


@contextmanager
def _stopping_with_the_server() -> Iterator[threading.Event]:
    """An event that is set when the code server begins to end, which otherwise waits for the evaluation.

    Signals reach the server's main thread alone, and this module may be loaded in another: so that thread is watched.
    """
    stop, ended = threading.Event(), threading.Event()
    watching = threading.Thread(target=_watch, args=(stop, ended), name="watch-server", daemon=True)
    watching.start()
    try:
        yield stop
    finally:
        ended.set()
        watching.join()


def _watch(stop: threading.Event, ended: threading.Event) -> None:
    if not _server_serves():  # nothing to watch: somebody else evaluates the sensor
        return
    while not ended.wait(0.2):
        if not _server_serves():
            stop.set()
            return


def _server_serves() -> bool:
    """True while the main thread is where a Dagster code server spends its life: waiting for its termination."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - documented, and no other way
    while frame is not None:
        if frame.f_code.co_name == "wait_for_termination":
            return True
        frame = frame.f_back
    return False


defs = Definitions(sensors=[speed_lane])
