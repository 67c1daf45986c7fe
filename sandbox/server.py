"""Runs all stand-ins in one process, one port each: in a thread for tests, or as `python -m sandbox`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import orjson
import uvicorn
from filelock import FileLock, Timeout

from sandbox.client import Sandbox
from sandbox.control import Control
from sandbox.delivery import Courier
from sandbox.front import Front
from sandbox.world import World

DEFAULT_PEOPLE = 2000
DEFAULT_SEED = 7
HOST = "127.0.0.1"


@contextlib.contextmanager
def running(
    home: Path, people: int = DEFAULT_PEOPLE, seed: int = DEFAULT_SEED, as_of: datetime | None = None, *,
    port: int = 0, fresh: bool = False, **settings: Any,
) -> Iterator[Sandbox]:  # fmt: skip
    """Run the stand-ins in a thread while the block lasts.

    `as_of` is the moment the population stands at (default: now); `people`, `seed` and `as_of` count only when `home`
    is new or `fresh`. `port` 0 takes free ports, another number the ports from there on. `settings` as in
    `sandbox.world.Settings` (receiver, unlimited, job_seconds ...).
    """
    with Host(home, people, seed, as_of, port, fresh, settings) as host:
        thread = threading.Thread(target=lambda: asyncio.run(host.serve()), name="sandbox", daemon=True)
        thread.start()
        host.ready.wait()
        try:
            yield Sandbox(host.described())
        finally:
            host.stop()
            thread.join()


class Host:
    """The world, its apps and their sockets; as a context it keeps the home to itself."""

    def __init__(
        self, home: Path, people: int, seed: int, as_of: datetime | None, port: int, fresh: bool,
        settings: dict[str, Any],
    ) -> None:  # fmt: skip
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.ready = threading.Event()
        self._lock = FileLock(home / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise RuntimeError(f"another sandbox runs with the home {home}; stop it or choose another home") from None
        self.world = World(home, people, seed, as_of, fresh)
        for name, value in settings.items():
            if not hasattr(self.world.settings, name):
                raise TypeError(f"unknown setting {name!r}")
            setattr(self.world.settings, name, value)
        names = list(self.world.standins)
        self._sockets = {name: _bind(port + i if port else 0) for i, name in enumerate(names)}
        self._courier = Courier()
        control = Control(self.world, self._courier)
        self._servers = [
            _Server(uvicorn.Config(
                Front(standin, control.app(standin)), log_level="critical", access_log=False, lifespan="off",
                server_header=False, timeout_keep_alive=60, timeout_graceful_shutdown=1,
            ))
            for standin in self.world.standins.values()
        ]  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        (self.home / "sandbox.json").unlink(missing_ok=True)
        self.world.journal.close()
        for opened in self._sockets.values():
            opened.close()
        self._lock.release()

    def described(self) -> dict[str, Any]:
        """What `sandbox.json` says."""
        urls = {name: f"http://{HOST}:{opened.getsockname()[1]}" for name, opened in self._sockets.items()}
        return {
            "pid": os.getpid(),
            "urls": urls,
            "credentials": {name: standin.credentials for name, standin in self.world.standins.items()},
            "config": {name: standin.config(urls[name]) for name, standin in self.world.standins.items()},
            "origin": self.world.origin,
        }

    async def serve(self) -> None:
        """Serve until `stop`; writes `sandbox.json` once every port answers."""
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.stop)
        opened = list(self._sockets.values())
        work = [asyncio.create_task(server.serve([s])) for server, s in zip(self._servers, opened, strict=True)]
        while not all(server.started for server in self._servers):
            await asyncio.sleep(0.005)
        told = self.home / "sandbox.new"
        told.write_bytes(orjson.dumps(self.described(), option=orjson.OPT_INDENT_2))
        told.replace(self.home / "sandbox.json")
        self.ready.set()
        await asyncio.gather(*work)
        await self._courier.close()

    def stop(self) -> None:
        """Ask every server to end; calls under way get a second."""
        for server in self._servers:
            server.should_exit = True


class _Server(uvicorn.Server):
    """A server that leaves signals to the host, since several share one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit this; without it small answers wait 40 ms for the client's acknowledgement.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        opened.bind((HOST, port))
    except OSError as error:
        opened.close()
        raise RuntimeError(f"port {port} is taken on {HOST}; choose another with --ports") from error
    return opened
