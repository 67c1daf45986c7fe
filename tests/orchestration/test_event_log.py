"""Dagster's event log with files that stay open: nothing told is lost or late, and files do not pile up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, EventLogEntry

from orchestration import instance
from orchestration.event_log import EventLog
from orchestration.home import Home

PATIENCE = 30

WRITER = """
import os, signal, sys
from orchestration.event_log import EventLog
from tests.orchestration.test_event_log import entry

storage = EventLog(sys.argv[1])
for number in range(3):
    storage.store_event(entry("run", f"event {number}"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def entry(run: str, message: str) -> EventLogEntry:
    """A line of a run's log."""
    return EventLogEntry(
        error_info=None, level="info", user_message=message, run_id=run, timestamp=time.time(), dagster_event=None
    )


def messages(storage: EventLog, run: str = "run") -> list[str]:
    return [one.user_message for one in storage.get_logs_for_run(run)]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[EventLog]:
    opened = EventLog(str(tmp_path))
    yield opened
    opened.dispose()


def test_what_was_told_outlives_a_process_that_is_killed(storage: EventLog, tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], timeout=PATIENCE, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert messages(storage) == ["event 0", "event 1", "event 2"]


def test_an_open_log_is_read_by_others_as_it_grows(storage: EventLog, tmp_path: Path) -> None:
    other = EventLog(str(tmp_path))
    for number in range(3):
        storage.store_event(entry("run", f"event {number}"))
        assert len(messages(other)) == number + 1
    other.dispose()


def test_whoever_watches_a_run_hears_of_its_events_while_its_log_is_open(storage: EventLog, tmp_path: Path) -> None:
    heard: list[str] = []
    watcher = EventLog(str(tmp_path))
    watcher.watch("run", None, lambda event, _: heard.append(event.user_message))
    for number in range(3):
        storage.store_event(entry("run", f"event {number}"))
        deadline = time.monotonic() + PATIENCE
        while len(heard) <= number and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(heard) == number + 1
    watcher.dispose()


def test_the_files_of_old_runs_are_closed(storage: EventLog, tmp_path: Path) -> None:
    for number in range(30):
        storage.store_event(entry(f"run_{number}", "told"))
    # SQLite removes its own log beside a file when the last connection closes.
    assert 0 < len(list(tmp_path.glob("run_*.db-wal"))) <= 8
    assert messages(storage, "run_0") == ["told"]


def test_a_log_that_was_wiped_is_empty_and_takes_events_again(storage: EventLog) -> None:
    storage.store_event(entry("run", "before"))
    storage.wipe()
    storage.store_event(entry("run", "after"))
    assert messages(storage) == ["after"]


def test_a_home_keeps_its_log_where_dagster_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a home from before, and one opened without our settings, show the same runs."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    folder = instance.prepare(Home(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    with DagsterInstance.get() as ours:
        assert isinstance(ours.event_log_storage, EventLog)
        ours.event_log_storage.store_event(entry("run", "told"))
    (folder / "dagster.yaml").write_text("")
    with DagsterInstance.get() as plain:
        assert not isinstance(plain.event_log_storage, EventLog)
        assert [one.user_message for one in plain.event_log_storage.get_logs_for_run("run")] == ["told"]
