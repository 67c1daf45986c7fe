"""The Dagster instance of a home: its folder, its settings, and its first initialisation."""

from __future__ import annotations

import json
import os
from pathlib import Path

from filelock import FileLock

from orchestration.home import Home

#: The settings stand at the top level of a checkout; Dagster reads them from its own home folder.
_SETTINGS = Path(__file__).resolve().parent.parent / "dagster.yaml"
#: Where Dagster would keep its event log by itself, opened our way.
_EVENT_LOG = """
event_log_storage:
  module: orchestration.event_log
  class: EventLog
  config:
    base_dir: {folder}
"""


def prepare(home: Home) -> Path:
    """Make the home's Dagster folder current (DAGSTER_HOME), unless the operator has set one.

    The instance's tables are made here, once and under a lock: two runs that start together on a fresh folder would
    leave it unusable.
    """
    if os.environ.get("DAGSTER_HOME"):
        return Path(os.environ["DAGSTER_HOME"])
    folder = home.data / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(folder)
    with FileLock(folder / "preparing.lock"):
        event_log = _EVENT_LOG.format(folder=json.dumps(str(folder.absolute() / "history" / "runs")))
        settings = _SETTINGS.read_text() if _SETTINGS.exists() else ""
        draft = folder / "dagster.yaml.writing"
        draft.write_text(settings + event_log)
        draft.replace(folder / "dagster.yaml")
        if not (folder / "prepared").exists():
            from dagster import DagsterInstance

            with DagsterInstance.get():
                (folder / "prepared").touch()
    return folder
