"""Pull over HTTP into raw, for every platform, against the same requests sent bare.

A first pull is recorded and not timed. Its requests are then sent again by bare requests, decoded by orjson and landed
as Arrow in DuckDB: the least that any client of these pages has to do. Both are told in rows of the pull, since a row
may join several answers (a contact, what it subscribes to, what it has opted out of).
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import orjson
import pyarrow as pa
import requests

from dlt_sources import registry
from dlt_sources.accounts import Account
from dlt_sources.http import Session
from dlt_sources.platform import Platform
from dlt_sources.pull import pull
from sandbox import Sandbox
from tests.benchmarks.figures import Figure, figure

_PEOPLE = 50_000


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, _stand_ins(Path(folder) / "sandbox") as shop:
        for platform in registry.all_platforms():
            if not platform.has("source"):
                continue
            home = Path(folder) / platform.name
            with _recording() as requested:
                _pull(platform, shop, home / "recorded")
            began = time.perf_counter()
            rows = _pull(platform, shop, home / "timed")
            ours = rows / (time.perf_counter() - began)
            began = time.perf_counter()
            _land(home / "bare.duckdb", _pages(requested))
            theirs = rows / (time.perf_counter() - began)
            yield figure(
                f"pull {platform.title}, {len(platform.objects)} objects, {rows:,} rows", ours, "rows/s", theirs
            )


@contextlib.contextmanager
def _stand_ins(home: Path) -> Iterator[Sandbox]:
    """Stand-ins in a process of their own, as platforms are, without limits."""
    command = [sys.executable, "-m", "sandbox", "--home", str(home), "--people", str(_PEOPLE), "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                if (home / "sandbox.json").exists():
                    break
                time.sleep(0.2)
            shop = Sandbox.connect(home)
            shop.settings(unlimited=True)
            yield shop
        finally:
            process.terminate()


def _pull(platform: Platform, shop: Sandbox, home: Path) -> int:
    home.mkdir(parents=True)
    settings = {**shop.config[platform.name], **shop.credentials[platform.name]}
    account = Account(platform.name, "main", "acme", "US", ("US",), settings)
    done = pull(platform, [account], warehouse=home / "w.duckdb", working_folder=home / "dlt")
    return sum(one.rows for one in done)


@contextlib.contextmanager
def _recording() -> Iterator[list[requests.PreparedRequest]]:
    """The requests that our sessions send while the block lasts."""
    requested: list[requests.PreparedRequest] = []
    send = Session.send

    def recorded(self: Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        bare = request.copy()
        bare.hooks = requests.hooks.default_hooks()
        requested.append(bare)
        return send(self, request, **kwargs)

    with mock.patch.object(Session, "send", recorded):
        yield requested


def _pages(requested: list[requests.PreparedRequest]) -> Iterator[list[Any]]:
    with requests.Session() as session:
        session.trust_env = False
        for request in requested:
            yield _records(orjson.loads(session.send(request, timeout=60).content))


def _records(answer: Any) -> list[Any]:
    """The longest list of objects in an answer: its page of records, wherever the platform puts it."""
    found: list[Any] = []
    waiting = [answer]
    while waiting:
        value = waiting.pop()
        inner = list(value.values()) if isinstance(value, dict) else value
        if isinstance(value, list) and len(value) > len(found) and isinstance(value[0], dict):
            found = value
        if not isinstance(value, list):
            waiting += [one for one in inner if isinstance(one, dict | list)]
    return found


def _land(path: Path, pages: Iterator[list[Any]]) -> None:
    """Land pages as one payload column."""
    batches = [pa.table({"payload": [orjson.dumps(record).decode() for record in page]}) for page in pages if page]
    with duckdb.connect(str(path)) as connection:
        connection.register("landed", pa.concat_tables(batches))
        connection.execute("CREATE TABLE raw AS SELECT payload::JSON AS payload FROM landed")
