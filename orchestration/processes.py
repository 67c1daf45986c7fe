"""Child processes of `demo` and `dev`: started in groups of their own, waited for, and stopped for sure."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from dlt_sources.errors import AudiencesError


class Children:
    """Named child processes; leaving the block stops all of them, newest first."""

    def __init__(self, logs: Path, environment: Mapping[str, str] | None = None) -> None:
        self.logs = logs
        self.environment = {**os.environ, **(environment or {})}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._files: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start `python -m <command>`, its output in `<logs>/<name>.log`."""
        log = (self.logs / f"{name}.log").open("wb")
        self._files.append(log)
        self._running[name] = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=self.environment,
            start_new_session=True,
            # A shell that runs us in the background has SIGINT ignored; children must hear it all the same.
            preexec_fn=_hear_interrupts,
        )

    def wait_for(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`; raises with the end of the log when the child ends or takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if ready():
                return
            if self._running[name].poll() is not None:
                break
            time.sleep(0.05)
        tail = (self.logs / f"{name}.log").read_text(errors="replace").strip().splitlines()[-5:]
        raise AudiencesError(
            f"{name} did not start; the end of its log ({self.logs.name}/{name}.log):\n" + "\n".join(tail)
        )

    def said(self, name: str, text: str) -> bool:
        """True when a child has printed `text`."""
        return text in (self.logs / f"{name}.log").read_text(errors="replace")

    def ended(self) -> str | None:
        """The name of a child that ended by itself, if any."""
        return next((name for name, process in self._running.items() if process.poll() is not None), None)

    def stop(self, seconds: float = 15.0) -> None:
        """Ask every child to stop, then insist after `seconds`."""
        for process in reversed(self._running.values()):
            _signal(process, signal.SIGINT)
        deadline = time.monotonic() + seconds
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait(5)
        self._running.clear()
        for file in self._files:
            file.close()
        self._files.clear()


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    """True when something accepts connections on 127.0.0.1:`port`."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
