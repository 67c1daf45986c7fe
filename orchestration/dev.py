"""`audiences dev`: Dagster's UI and daemon, the receiver and the stand-ins, started together and stopped together."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import FrameType

from orchestration import console, instance
from orchestration.home import Home
from orchestration.processes import Children, free_port, listening

_WORKSPACE = Path(__file__).resolve().parent.parent / "workspace.yaml"


def run_dev(*, port: int, receiver_port: int, with_sandbox: bool, people: int) -> int:
    """Start everything, print the addresses, wait for Ctrl-C or TERM, stop everything.

    With the sandbox, all of it works in a home of its own (`data/demo`): stand-ins never mix with real accounts.
    """
    if with_sandbox:
        from orchestration.demo_shop import demo_home

        os.environ["AUDIENCES_HOME"] = str(demo_home())
    home = Home.current()
    home.data.mkdir(parents=True, exist_ok=True)
    instance.prepare(home)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    with Children(home.data / "logs") as children:
        try:
            addresses = _start(children, home, port, receiver_port, with_sandbox=with_sandbox, people=people)
            console.out.print(console.table("Running; Ctrl-C stops all", ["what", "address"], addresses))
            while (ended := children.ended()) is None:
                time.sleep(0.5)
            console.err.print(f"{ended} ended by itself; its log is {home.data / 'logs' / ended}.log", style="red")
            return 1
        except KeyboardInterrupt:
            console.err.print("Stopping ...")
            return 0


def _start(
    children: Children, home: Home, port: int, receiver_port: int, *, with_sandbox: bool, people: int
) -> list[tuple[str, str]]:
    addresses = []
    receiver = f"http://127.0.0.1:{receiver_port}"
    if with_sandbox:
        from orchestration.approving import approve_all
        from orchestration.demo_shop import start_sandbox
        from orchestration.registering import bring_all

        sandbox = start_sandbox(children, home, people=people, seed=1, receiver=receiver)
        if stand_ins := approve_all(home, actor="dev", reason="stand-ins of our own"):
            console.out.print(f"Approving the first push to our own stand-ins: {', '.join(stand_ins)}")
        console.out.print(f"Nobody of the generated shop is on a registry: {', '.join(bring_all(home, actor='dev'))}")
        addresses += [(f"stand-in {name}", url) for name, url in sandbox.urls.items()]
    command = ["orchestration.cli", "receive", "--port", str(receiver_port)]
    children.start("receiver", command)
    children.wait_for("receiver", lambda: listening(receiver_port), 30)
    ui = ["dagster", "dev", "-w", str(_WORKSPACE), "-h", "127.0.0.1", "-p", str(port or free_port())]
    children.start("dagster", ui)
    children.wait_for("dagster", lambda: listening(port), 120)
    return [
        ("Dagster UI", f"http://127.0.0.1:{port}"),
        ("receiver", f"{receiver}/webhooks/<platform>/<account>"),
        *addresses,
    ]


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
