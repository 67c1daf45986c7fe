"""A whole house for one module: stand-ins in this process, and every command a process of its own, as people run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dlt_sources import accounts, registry
from orchestration.activation import approvals
from orchestration.activation.state import State
from orchestration.demo_shop import bring_receipts, write_configuration
from orchestration.home import Home
from orchestration.registering import bring_all
from sandbox.client import Sandbox
from sandbox.server import running

#: No command of these tests takes a fifth of this on two quiet cores; it ends one that hangs.
PATIENCE = 600
Members = Mapping[tuple[str, str], frozenset[str]]


def command(*arguments: str) -> list[str]:
    """The command line of `audiences` in this environment."""
    return [sys.executable, "-m", "orchestration.cli", *arguments]


def environment(home: Path | None = None) -> dict[str, str]:
    """This process's environment, but for anything that names a house."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AUDIENCES_", "DAGSTER_"))}
    clean["PYTHONPATH"] = str(Path(__file__).parents[2])
    return clean | ({"AUDIENCES_HOME": str(home)} if home else {})


@dataclass(frozen=True)
class Ran:
    """One run of the daily job: its exit code, its figures, what failed, and where people were afterwards."""

    code: int
    stations: dict[str, dict[str, Any]]
    failures: list[str]
    members: Members


@dataclass(frozen=True)
class House:
    """A home beside running stand-ins."""

    home: Home
    sandbox: Sandbox
    #: The list or tag of each platform and audience.
    targets: Mapping[tuple[str, str], str]

    def start(self) -> subprocess.Popen[bytes]:
        """Start the daily job and return at once; it has a session of its own."""
        return subprocess.Popen(
            command("run", "--json"), env=environment(self.home.folder), stdout=subprocess.PIPE, start_new_session=True
        )

    def run(self) -> Ran:
        """Run the daily job to its end."""
        process = self.start()
        try:
            told = json.loads(process.communicate(timeout=PATIENCE)[0])
        finally:
            process.kill()
        stations = {station["name"]: station for station in told["stations"]}
        return Ran(process.returncode, stations, told["failures"], self.members())

    def members(self) -> Members:
        """Who each list or tag of an audience really holds, by platform and audience."""
        held = self.sandbox.members()
        return {place: frozenset(held[place[0]].get(target, set())) for place, target in self.targets.items()}

    def expected(self, as_of: datetime) -> Members:
        """Who they must hold, as the stand-ins know."""
        return {
            (platform, audience): frozenset(expected["records"])
            for audience, told in self.sandbox.truth(as_of)["audiences"].items()
            for platform, expected in told["members"].items()
        }

    def records(self, person: str) -> dict[str, frozenset[str]]:
        """A person's records, by platform."""
        return {name: frozenset(ids) for name, ids in self.sandbox.person(person)["records"].items()}

    def as_of(self) -> datetime:
        """The time the newest published build decided by."""
        figures = json.loads((self.home.published / "figures.json").read_bytes())
        return datetime.fromisoformat(figures["as_of"])


def approve_accounts(home: Home) -> None:
    """Approve every account of a home as a destination, and say that no registry has anybody of this shop."""
    state = State.of(home)
    for account in accounts.load(registry.all_platforms(), home.folder):
        approvals.approve(state, account.key, "tests", "stand-ins")
    state.close()
    bring_all(home, actor="tests")


@contextmanager
def house(folder: Path, *, people: int) -> Iterator[House]:
    """A fresh house with a shop of that many people, whose destinations are approved."""
    home = Home(folder)
    with running(home.data / "sandbox", people=people, seed=1) as sandbox:
        described = {"urls": sandbox.urls, "config": sandbox.config, "credentials": sandbox.credentials}
        write_configuration(home, described, "")
        approve_accounts(home)
        bring_receipts(home, sandbox.registries())
        targets = {
            (platform, audience): expected["target"]
            for audience, told in sandbox.truth()["audiences"].items()
            for platform, expected in told["members"].items()
        }
        yield House(home, sandbox, targets)
