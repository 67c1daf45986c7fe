"""A program that applies every ready plan of a home and is killed at one point of its first addition.

`python -m tests.activation.dying <home> <point>`; what the destination did lies in `<home>/mailer.json`, written before
it answers, so that it outlives the process as a vendor does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlt_sources.platform import Job, Outcome, Row, Target
from orchestration.activation.apply import apply
from orchestration.activation.gate import GateRow
from orchestration.activation.patience import Patience
from orchestration.activation.state import State
from orchestration.home import Home
from tests.activation.shop import Mailer

POINTS = ("before the call", "after the call", "after the job was made", "while the job runs")


class Vendor(Mailer):
    """The mailer with its members on disk."""

    def __init__(self, folder: Path, point: str = "") -> None:
        super().__init__()
        self.file = folder / "mailer.json"
        self.point = point
        content = json.loads(self.file.read_text()) if self.file.exists() else {"members": {}, "jobs": {}}
        self.members = content["members"]
        self.made: dict[str, list[str]] = content["jobs"]
        self.asynchronous = "job" in point or bool(self.made)

    def add(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome] | Job:
        self.die("before the call")
        if self.asynchronous:
            job = Job(f"job-{len(self.made)}")
            self.made[job.id] = [str(row.record_id) for row in rows]
            self.save()
            self.die("after the job was made")
            return job
        answer = super().add(target, rows)
        self.save()
        self.die("after the call")
        return answer

    def poll(self, job: Job, rows: Sequence[Row]) -> Sequence[Outcome] | None:
        self.die("while the job runs")
        for record in self.made[job.id]:
            self.members.setdefault("list:Buyers", {})[record] = {}
        self.save()
        self.log.append(("poll", job.id, ()))
        return [Outcome(row_id=row.row_id, status="accepted") for row in rows]

    def remove(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        answer = super().remove(target, rows)
        self.save()
        return answer

    def save(self) -> None:
        self.file.write_text(json.dumps({"members": self.members, "jobs": self.made}))

    def die(self, point: str) -> None:
        if point == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


class OpenGate:
    def blocked(self, rows: Sequence[GateRow], build_id: int) -> Mapping[str, str]:
        return {}


def main(folder: str, point: str) -> None:
    home = Home(Path(folder))
    vendor: Any = Vendor(home.folder, point)
    apply(home, State.of(home), OpenGate(), lambda *_: vendor, patience=Patience(sleep=lambda _: None))


if __name__ == "__main__":
    main(*sys.argv[1:])
