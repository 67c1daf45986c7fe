"""The build: dbt over a large shop, in full and after 1 % of new data, against one hand-written pass over the same raw.

BENCH_RECORDS (default 500,000) sets the size; there are ten events per record.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dlt_sources import registry
from dlt_sources.accounts import Account
from orchestration import warehouse
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.parsing import dbt_command, environment
from tests.benchmarks import large_shop
from tests.benchmarks.figures import Figure, figure

RECORDS = int(os.environ.get("BENCH_RECORDS", "500000"))
_PLATFORMS = ("klaviyo", "shopify", "twilio")
_BY_HAND = Path(__file__).with_name("by_hand.sql")
_BUILD = ("build", "--exclude", "resource_type:unit_test")
BARE = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], config={"threads": 2})
connection.execute("SET enable_progress_bar = false")
connection.execute(sys.stdin.read())
"""


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        land(home, RECORDS, RECORDS * 10)
        by_hand, by_hand_memory = run([sys.executable, "-c", BARE, str(home.warehouse)], home, _BY_HAND.read_text())
        full, memory = run(dbt_command(*_BUILD), home)
        land(home, RECORDS // 100, RECORDS // 10, first=RECORDS)
        more, _ = run(dbt_command(*_BUILD), home)
        size = f"{RECORDS:,} records, {RECORDS * 10:,} events"
        yield figure(f"build {size}", full, "s", by_hand)
        yield figure(f"build {size}: peak memory", memory, "GB", by_hand_memory)
        yield figure(f"build after 1 % more of {size}", more, "s", full)


def land(home: Home, records: int, events: int, *, first: int = 0) -> None:
    accounts = [Account(name, "main", "acme", "US", ("US",), {}) for name in _PLATFORMS]
    state = State.of(home)
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, registry.all_platforms(), accounts)
        large_shop.fill(connection, records, events, first=first)
        warehouse.begin_build(state, connection)
    state.close()


def run(command: Sequence[str], home: Home, stdin: str = "") -> tuple[float, float]:
    """Wall seconds and peak memory in GB of a process, and of its children."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=sys.stderr, env={**os.environ, **environment(home)}, text=True
    )
    assert process.stdin is not None
    with process.stdin as feed:
        feed.write(stdin)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command[0]} failed")
    return time.perf_counter() - began, used.ru_maxrss / 1024**2
