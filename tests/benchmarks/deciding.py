"""Decisions: from raw to `decisions`, in full and after 1 % more, against one hand-written pass over the same raw.

BENCH_DECIDED (default 1,000,000) is the number of records; there are ten events and about five consent statements each.
The reference answers the same questions of the same people, without reasons, evidence, history or typing errors.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from orchestration.home import Home
from orchestration.parsing import dbt_command
from tests.benchmarks import building, large_shop
from tests.benchmarks.figures import Figure, figure

RECORDS = int(os.environ.get("BENCH_DECIDED", "1000000"))
#: Older versions of each profile, each a statement on e-mail and one on texts.
_VERSIONS = 4
_BY_HAND = Path(__file__).with_name("deciding_by_hand.sql")
_DECIDE = ("build", "--select", "+decisions", "--exclude", "resource_type:unit_test", "resource_type:test")


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        _land(home, RECORDS)
        bare = [sys.executable, "-c", building.BARE, str(home.warehouse)]
        by_hand, by_hand_memory = building.run(bare, home, _BY_HAND.read_text())
        full, memory = building.run(dbt_command(*_DECIDE), home)
        size = f"{RECORDS:,} records, {RECORDS * 10:,} events, {_statements(home):,} statements"
        _land(home, RECORDS // 100, first=RECORDS)
        more, more_memory = building.run(dbt_command(*_DECIDE), home)
        yield figure(f"decide {size}", full, "s", by_hand)
        yield figure(f"decide {size}: peak memory", memory, "GB", by_hand_memory)
        yield figure(f"decide after 1 % more of {size}", more, "s", full)
        yield figure(f"decide after 1 % more of {size}: peak memory", more_memory, "GB", memory)


def _land(home: Home, records: int, *, first: int = 0) -> None:
    building.land(home, records, records * 10, first=first)
    with duckdb.connect(str(home.warehouse)) as connection:
        large_shop.add_history(connection, records, _VERSIONS, first=first)


def _statements(home: Home) -> int:
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        found = connection.execute("SELECT count(*) FROM intermediate.consent_events").fetchone()
    assert found is not None
    return int(found[0])
