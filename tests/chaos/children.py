"""The processes that the chaos tests kill: each runs the real code and dies by SIGKILL at the point it is told.

    python -m tests.chaos.children <process> <home> <point>

The points are reached by wrapping functions here, in the child; the product knows nothing of them.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestration.activation import ledger
from orchestration.activation.outbox import Outbox
from orchestration.activation.owing import Owing
from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.landing import files, loading
from orchestration.landing.files import Landing
from tests.activation.places import Calls, worker
from tests.landing.serve_receiver import serve


def die() -> None:
    """End as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
    """Die instead of calling."""
    real = getattr(owner, name)

    def wrapped(*args: Any) -> Any:
        if when(*args):
            die()
        return real(*args)

    setattr(owner, name, wrapped)


def after(owner: Any, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
    """Call, then die before anybody hears of it."""
    real = getattr(owner, name)

    def wrapped(*args: Any) -> Any:
        result = real(*args)
        if when(*args):
            die()
        return result

    setattr(owner, name, wrapped)


def third(test: Callable[..., bool]) -> Callable[..., bool]:
    """True from the third time on that `test` is."""
    seen = []

    def counted(*args: Any) -> bool:
        if test(*args):
            seen.append(1)
        return len(seen) >= 3

    return counted


class WrittenCalls(Calls):
    """Calls that outlive the process: a line each, written before the destination answers."""

    def __init__(self, home: Home, *, die_after_call: bool) -> None:
        super().__init__()
        self.path = home.folder / "calls.txt"
        self.die_after_call = die_after_call

    def make(self, account: str, operation: str, about: str, what: Sequence[str]) -> None:
        with self.path.open("a") as file:
            file.writelines(f"{account} {operation} {one}\n" for one in what)
        if self.die_after_call:
            die()


POINTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "fsynced": lambda: before(Path, "rename", third(lambda path, _target: path.parent.name == "writing")),
    "renamed": lambda: after(files, "sync_folder", third(lambda folder: folder.name == "ready")),
    "claimed": lambda: before(Worker, "_settle"),
    "ledger": lambda: after(ledger, "record"),
    "outbox": lambda: after(Owing, "owe"),
    "unmoved": lambda: before(Landing, "move"),
    "half-moved": lambda: after(Landing, "move"),
    "called": lambda: None,
    "undone": lambda: before(Outbox, "done"),
    "done": lambda: after(Outbox, "done"),
    "loaded": lambda: before(Landing, "move", lambda _self, _path, _lane, stage: stage == "loaded"),
}


def main(process: str, folder: str, point: str) -> None:
    """Run one process of the house up to its point."""
    home = Home(Path(folder))
    POINTS[point]()
    if process == "receiver":
        asyncio.run(serve(folder))
    elif process == "load":
        print(loading.load(home))
    else:
        lane = worker(home, State(home.state), WrittenCalls(home, die_after_call=point == "called"))
        if process == "work":
            lane.run(threading.Event())
        lane.settle_once()
        lane.deliver_once()
        lane.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
