import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from dlt_sources import registry
from orchestration import warehouse
from orchestration.activation.state import State
from orchestration.home import Home
from tests.activation.shop import MAILER, fresh_state

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def open_and_close(home: Home, wait: float) -> None:
    with warehouse.opened(home, wait=wait):
        pass


def test_who_holds_the_warehouse_is_named_after_waiting(home: Home) -> None:
    with warehouse.opened(home), pytest.raises(warehouse.WarehouseBusyError, match=r"open in process \d+ \(") as caught:
        open_and_close(home, wait=0.2)
    assert "published/warehouse.duckdb" in str(caught.value)


def test_a_program_that_does_not_take_the_lock_is_waited_for_and_named_too(home: Home) -> None:
    with warehouse.opened(home) as connection:
        connection.execute("CREATE TABLE kept (n INTEGER)")
    command = [sys.executable, "-c", HOLD, str(home.warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(warehouse.WarehouseBusyError, match=f"open in process {holder.pid} "):
            open_and_close(home, wait=0.3)
        holder.stdin.close()
        with warehouse.opened(home, wait=20) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_the_warehouse_is_free_again_after_an_error(home: Home) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.opened(home):
        raise ZeroDivisionError
    with warehouse.opened(home, wait=0.2) as connection:
        assert connection.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)


def test_every_raw_table_of_every_platform_exists_and_keeps_its_rows(home: Home) -> None:
    platforms = registry.all_platforms()
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, platforms, [MAILER])
        connection.execute("INSERT INTO raw_shopify.orders (record_id) VALUES ('1')")
        warehouse.ensure_raw(connection, platforms, [])
        assert connection.execute("SELECT count(*) FROM raw_shopify.orders").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM raw_audiences.accounts").fetchone() == (0,)
        carrying = replace(MAILER, external_ids={"aevent:main": "registrant"})
        connection.execute("ALTER TABLE raw_audiences.accounts DROP COLUMN external_ids")  # as an older version made it
        warehouse.ensure_raw(connection, platforms, [carrying])
        carried = "SELECT account, external_ids ->> '$.\"aevent:main\"' FROM raw_audiences.accounts"
        assert connection.execute(carried).fetchall() == [("main", "registrant")]
        for platform in platforms:
            for table in (*(obj.name for obj in platform.objects), "webhooks"):
                assert warehouse.has_table(connection, f"raw_{platform.name}", table)


def test_build_numbers_exceed_everything_that_state_or_warehouse_has_seen(home: Home, tmp_path: Path) -> None:
    state = fresh_state(home)
    with warehouse.opened(home) as connection:
        assert warehouse.begin_build(state, connection).build_id == 1
        assert warehouse.begin_build(state, connection).build_id == 2
        restored = State(tmp_path / "restored")
        assert warehouse.next_build_id(restored, connection) == 3
        assert warehouse.begin_build(restored, connection).build_id == 3
    with duckdb.connect() as emptied:
        assert warehouse.begin_build(restored, emptied).build_id == 4


def test_builds_are_told_apart_by_when_they_knew_also_with_the_same_as_of(home: Home) -> None:
    state, as_of = fresh_state(home), datetime(2026, 11, 1, tzinfo=UTC)
    with warehouse.opened(home) as connection:
        for _ in range(3):
            assert warehouse.begin_build(state, connection, as_of).as_of == as_of
        rows = connection.execute("SELECT count(DISTINCT known_at), count(DISTINCT as_of) FROM raw_audiences.builds")
        assert rows.fetchone() == (3, 1)


def test_a_source_that_did_not_answer_leaves_no_contact(home: Home) -> None:
    at = datetime.now(UTC) - timedelta(minutes=1)
    pulled = [
        SimpleNamespace(platform="shopify", account="main", object="orders", contacted_at=at),
        SimpleNamespace(platform="shopify", account="main", object="customers", contacted_at=None),
    ]
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, registry.all_platforms(), [])
        warehouse.record_contacts(connection, pulled)
        rows = connection.execute(
            "SELECT object, contacted_at, schedule_seconds FROM raw_audiences.contacts"
        ).fetchall()
    assert rows == [("orders", at, 86_400)]
