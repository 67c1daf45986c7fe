"""The Dagster instance of a home: its folder, its settings, and its first initialisation."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from filelock import FileLock

from orchestration.home import Home

#: The settings stand at the top level of a checkout; Dagster reads them from its own home folder.
_SETTINGS = Path(__file__).resolve().parent.parent / "dagster.yaml"


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
        if _SETTINGS.exists():
            shutil.copyfile(_SETTINGS, folder / "dagster.yaml")
        if not (folder / "prepared").exists():
            from dagster import DagsterInstance

            with DagsterInstance.get():
                (folder / "prepared").touch()
    return folder
