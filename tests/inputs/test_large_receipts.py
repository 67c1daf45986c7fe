"""A long answer of a registry passes through DuckDB alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from orchestration import warehouse
from orchestration.home import Home
from orchestration.inputs import receipts
from orchestration.inputs.reading import Layout

ROWS = 300_000


def test_a_long_answer_is_kept_and_loaded_whole(tmp_path: Path) -> None:
    home, file = Home(tmp_path), tmp_path / "answer.csv"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'p' || i || '@example.com' AS email, "
            "CASE WHEN i % 1000 = 0 THEN 'listed' ELSE 'clear' END AS result "
            f"FROM range({ROWS}) AS numbers (i)) TO '{file}' (HEADER)"
        )
    layout = Layout()
    done = receipts.keep(
        home, file, layout, registry="child_protection_utah", checked_on=date(2026, 11, 1), whole_list=False, actor="jo"
    )
    assert done.receipt.results == {"clear": ROWS - ROWS // 1000, "listed": ROWS // 1000}
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, [], [])
        assert receipts.load(home, connection) == ROWS
        counted = connection.execute(
            "SELECT count(DISTINCT receipt_id) FROM raw_audiences.registry_receipts"
        ).fetchone()
    assert counted == (ROWS,)
