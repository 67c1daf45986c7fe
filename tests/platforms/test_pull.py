"""What lands in raw, where the next pull resumes, and what survives a crash."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from dlt_sources import pull as pulling
from dlt_sources.accounts import Account
from dlt_sources.errors import AudiencesError, Failure, RetryLater, StopRun
from dlt_sources.pull import Pulled, land
from tests.platforms.fakes import CUSTOMERS, MAIN, NOTES, OTHER, Fake, Page, customer, serving

RETRY = RetryLater(Failure("fake", "main", "customers", 503, "unavailable"), "It is tried again later.")


class House:
    """A warehouse and a working folder below one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.warehouse, self.working_folder = home / "warehouse.duckdb", home / "dlt"

    def pull(self, platform: Fake, *accounts: Account, **more: Any) -> list[Pulled]:
        return pulling.pull(
            platform, accounts or [MAIN], warehouse=self.warehouse, working_folder=self.working_folder, **more
        )

    def land(self, table: str, rows: Any) -> int:
        return land("fake", table, rows, warehouse=self.warehouse, working_folder=self.working_folder)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def ids(self, table: str = "customers") -> list[int]:
        return [int(row[0]) for row in self.rows(f"select record_id from raw_fake.{table} order by record_id::int")]

    def versions(self) -> int:
        distinct = "select distinct account, record_id, payload_hash from raw_fake.customers"
        return len(self.rows(distinct))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_record_lands_as_one_row_with_its_payload_as_it_came(house: House) -> None:
    record = {"updated_at": "2026-11-01T12:00:00+02:00", "id": 7, "ünknown": {"b": [1, None], "a": "ø"}}
    [pulled] = house.pull(serving(customers=[[record]]), objects=["customers"])
    [row] = house.rows("select account, record_id, epoch(updated_at), payload, payload_hash from raw_fake.customers")
    canonical = '{"id":7,"updated_at":"2026-11-01T12:00:00+02:00","ünknown":{"a":"ø","b":[1,null]}}'
    assert row[:2] == ("main", "7")
    assert row[2] == datetime(2026, 11, 1, 10, tzinfo=UTC).timestamp()
    assert row[3:] == (canonical, hashlib.sha256(canonical.encode()).hexdigest())
    assert (pulled.rows, pulled.pages, pulled.error) == (1, 1, None)
    assert pulled.contacted_at is not None
    types = dict(house.rows("select column_name, data_type from duckdb_columns() where table_name = 'customers'"))
    assert types == {
        "account": "VARCHAR",
        "record_id": "VARCHAR",
        "updated_at": "TIMESTAMP WITH TIME ZONE",
        "extracted_at": "TIMESTAMP WITH TIME ZONE",
        "payload": "JSON",
        "payload_hash": "VARCHAR",
    }


def test_times_are_read_as_utc_and_unreadable_ones_become_null_alone(house: House) -> None:
    times = {
        "2026-11-01T10:00:00Z": "2026-11-01T10:00:00+00:00",
        "2026-11-01T10:00:00.123456-05:00": "2026-11-01T15:00:00.123456+00:00",
        "2026-11-01T10:00:00": "2026-11-01T10:00:00+00:00",
        "Sun, 01 Nov 2026 10:00:00 +0000": "2026-11-01T10:00:00+00:00",
    }
    written = [*times, "soon", None, 5, {"at": 1}]
    house.pull(serving(customers=[[customer(n, time) for n, time in enumerate(written)]]), objects=["customers"])
    expected = [int(datetime.fromisoformat(time).timestamp() * 1_000_000) for time in times.values()]
    found = house.rows("select epoch_us(updated_at) from raw_fake.customers order by record_id::int")
    assert [at for (at,) in found] == [*expected, None, None, None, None]


def test_a_page_of_mail_dates_is_read_but_for_a_day_that_there_is_not(house: House) -> None:
    written = ["Sun, 01 Nov 2026 10:00:00 +0000", None]
    pages = [
        [customer(n, time) for n, time in enumerate(written)],
        [customer(2 + n, time) for n, time in enumerate([*written, "Wed, 31 Feb 2026 10:00:00 +0000"])],
    ]
    for page in pages:
        house.pull(serving(customers=[page]), objects=["customers"])
    at = int(datetime(2026, 11, 1, 10, tzinfo=UTC).timestamp() * 1_000_000)
    found = house.rows("select epoch_us(updated_at) from raw_fake.customers order by record_id::int")
    assert [time for (time,) in found] == [at, None, at, None, None]


def test_the_next_pull_starts_an_overlap_before_the_newest_record_seen(house: House) -> None:
    platform = serving(customers=[[customer(1, "2026-11-03T10:00:00Z"), customer(2, "2026-11-02T10:00:00Z")]])
    house.pull(platform, objects=["customers"])
    house.pull(platform, objects=["customers"])
    assert [since for _, _, since in platform.asked] == [None, datetime(2026, 11, 3, 9, 55, tzinfo=UTC)]


def test_a_pull_that_brings_nothing_keeps_the_cursor(house: House) -> None:
    house.pull(serving(customers=[[customer(1)]]), objects=["customers"])
    house.pull(serving(), objects=["customers"])
    third = serving()
    house.pull(third, objects=["customers"])
    assert third.asked[0][2] == datetime(2026, 11, 1, 9, 55, tzinfo=UTC)


def test_a_record_from_the_future_does_not_move_the_cursor_past_now(house: House) -> None:
    platform = serving(customers=[[customer(1, "2099-01-01T00:00:00Z")]])
    started = datetime.now(UTC)
    house.pull(platform, objects=["customers"])
    house.pull(platform, objects=["customers"])
    since = platform.asked[1][2]
    assert since is not None
    assert started - CUSTOMERS.overlap <= since <= datetime.now(UTC) - CUSTOMERS.overlap


def test_cursors_are_kept_per_account_and_object(house: House) -> None:
    def answer(account: Account, obj: Any, since: datetime | None) -> Iterator[Page]:
        yield [customer(1, "2026-11-01T00:00:00Z" if account is MAIN else "2026-11-09T00:00:00Z")]

    platform = Fake(answer=answer, objects=(CUSTOMERS,))
    house.pull(platform, MAIN, OTHER)
    platform.asked.clear()
    house.pull(platform, MAIN, OTHER)
    assert {name: since and since.day for name, _, since in platform.asked} == {"main": 31, "other": 8}


def test_an_object_without_a_time_is_pulled_whole_every_time(house: House) -> None:
    platform = serving(notes=[[{"meta": {"id": "n1"}}]])
    house.pull(platform, objects=["notes"])
    house.pull(platform, objects=["notes"])
    assert [since for _, _, since in platform.asked] == [None, None]
    assert house.rows("select distinct record_id, updated_at from raw_fake.notes") == [("n1", None)]


def test_what_came_before_a_failure_lands_but_the_cursor_stays(house: House) -> None:
    def answer(account: Account, obj: Any, since: datetime | None) -> Iterator[Page]:
        yield [customer(1), customer(2)]
        raise RETRY

    platform = Fake(answer=answer, objects=(CUSTOMERS,))
    [pulled] = house.pull(platform)
    assert pulled.error == "fake (main), customers: HTTP 503: unavailable. It is tried again later."
    assert pulled.contacted_at is None
    assert house.ids() == [1, 2]
    house.pull(platform)
    assert platform.asked[1][2] is None


def test_a_failing_object_or_account_does_not_stop_the_others(house: House) -> None:
    def answer(account: Account, obj: Any, since: datetime | None) -> Iterator[Page]:
        if account is MAIN and obj is CUSTOMERS:
            raise RETRY
        yield [customer(1, meta={"id": 1})]

    pulled = house.pull(Fake(answer=answer), MAIN, OTHER)
    errors = {(one.account, one.object): bool(one.error) for one in pulled}
    assert errors == {
        ("main", "customers"): True,
        ("main", "notes"): False,
        ("other", "customers"): False,
        ("other", "notes"): False,
    }
    assert house.rows("select account from raw_fake.customers") == [("other",)]


@pytest.mark.parametrize(("status", "counts"), [(403, False), (401, True), (404, True)])
def test_an_optional_object_that_the_plan_lacks_is_said_and_fails_nothing(
    house: House, status: int, counts: bool
) -> None:
    def answer(account: Account, obj: Any, since: datetime | None) -> Iterator[Page]:
        if obj.optional:
            raise StopRun(Failure("fake", "main", "notes", status, "not in your plan"), "Mend it.")
        yield [customer(1)]

    platform = Fake(answer=answer, objects=(CUSTOMERS, replace(NOTES, optional=True)))
    customers, notes = house.pull(platform)
    assert (customers.error, customers.note) == (None, "")
    assert (bool(notes.error), bool(notes.note), notes.contacted_at is None) == (counts, not counts, counts)
    assert "not in your plan" in f"{notes.error}{notes.note}"


def test_an_unforeseen_error_is_told_without_its_text(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def answer(account: Account, obj: Any, since: datetime | None) -> Iterator[Page]:
        raise KeyError("jane.doe@example.com")
        yield []

    [pulled] = house.pull(Fake(answer=answer, objects=(CUSTOMERS,)))
    assert pulled.error is not None
    assert pulled.error.startswith("KeyError in test_pull.py, line ")
    assert "jane" not in caplog.text


@pytest.mark.parametrize("record", [{"updated_at": None}, {"id": None}, {"id": ""}, {"id": {}}, {"id": 1.5}])
def test_a_record_without_its_key_is_an_error_that_names_the_key(house: House, record: dict[str, Any]) -> None:
    [pulled] = house.pull(serving(customers=[[customer(1)], [record]]), objects=["customers"])
    assert pulled.error is not None
    assert "a record has no id" in pulled.error
    assert pulled.contacted_at is None


def kill(house: House, point: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    script = [sys.executable, Path(__file__).with_name("killed_pull.py"), house.home, point]
    killed = subprocess.run(script, env=environment, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.parametrize("point", ["extract", "before_load", "after_load", "after_package"])
def test_a_pull_killed_at_any_point_loses_nothing_and_brings_no_new_versions_twice(house: House, point: str) -> None:
    kill(house, point)
    platform = serving(customers=[[customer(number) for number in range(page, page + 10)] for page in (0, 10, 20)])
    [pulled] = house.pull(platform, objects=["customers"])
    assert pulled.error is None
    assert sorted(set(house.ids())) == list(range(30))
    assert house.versions() == 30
    # What had reached a finished package keeps its cursor; anything else is asked for from the start.
    expected = None if point == "extract" else datetime(2026, 11, 1, 9, 55, tzinfo=UTC)
    assert platform.asked[0][2] == expected


def test_what_a_killed_pull_left_behind_does_not_outrun_a_restored_warehouse(house: House) -> None:
    house.pull(serving(customers=[[customer(1, "2026-10-01T10:00:00Z")]]), objects=["customers"])
    backup = house.home / "backup.duckdb"
    shutil.copyfile(house.warehouse, backup)
    kill(house, "after_package")
    house.warehouse.with_suffix(".duckdb.wal").unlink(missing_ok=True)
    shutil.copyfile(backup, house.warehouse)
    platform = serving(customers=[[customer(2)]])
    house.pull(platform, objects=["customers"])
    assert platform.asked[0][2] == datetime(2026, 10, 1, 9, 55, tzinfo=UTC)


def test_a_second_pull_of_the_same_records_brings_no_new_versions(house: House) -> None:
    for _ in range(2):
        house.pull(serving(customers=[[customer(1), customer(2)]]), objects=["customers"])
    assert house.ids() == [1, 1, 2, 2]
    assert house.versions() == 2


def test_the_warehouse_alone_says_where_to_resume(house: House) -> None:
    """A warehouse restored from a backup is pulled from where that backup was; a deleted one from the start."""
    house.pull(serving(customers=[[customer(1, "2026-11-01T10:00:00Z")]]), objects=["customers"])
    backup = house.home / "backup.duckdb"
    shutil.copyfile(house.warehouse, backup)
    house.pull(serving(customers=[[customer(2, "2026-11-09T10:00:00Z")]]), objects=["customers"])
    shutil.copyfile(backup, house.warehouse)
    platform = serving(customers=[[customer(2, "2026-11-09T10:00:00Z")]])
    house.pull(platform, objects=["customers"])
    house.warehouse.unlink()
    house.pull(platform, objects=["customers"])
    assert [since for _, _, since in platform.asked] == [datetime(2026, 11, 1, 9, 55, tzinfo=UTC), None]


def test_another_process_can_open_the_warehouse_right_after(house: House) -> None:
    house.pull(serving(customers=[[customer(1)]]), objects=["customers"])
    house.land("webhooks", pa.table({"payload": ["{}"]}))
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create table theirs as select 7')"
    subprocess.run([sys.executable, "-c", code, str(house.warehouse)], check=True, timeout=30)
    assert house.rows("from theirs") == [(7,)]


def test_a_warehouse_in_use_is_named_and_the_next_pull_brings_everything(house: House) -> None:
    house.pull(serving(customers=[[customer(1)]]), objects=["customers"])
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read(); c.close()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(house.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    try:
        with pytest.raises(AudiencesError, match="open in another process"):
            house.pull(serving(customers=[[customer(2)]]), objects=["customers"])
    finally:
        holder.communicate("", timeout=30)
    house.pull(serving(customers=[[customer(2)]]), objects=["customers"])
    assert sorted(set(house.ids())) == [1, 2]


def test_nothing_but_the_source_is_called_over_the_network(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: called.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: called.append(address))
    house.pull(serving(customers=[[customer(1)]]), objects=["customers"])
    assert called == []


def test_no_raw_data_stays_in_the_working_folder(house: House) -> None:
    house.pull(serving(customers=[[customer(1)]]), objects=["customers"])
    house.land("webhooks", pa.table({"payload": ['{"email":"p1@example.com"}']}))
    left = [path for path in house.working_folder.rglob("*") if path.is_file()]
    assert not [path.name for path in left if path.suffix == ".parquet" or b"p1@example.com" in path.read_bytes()]


def test_progress_is_told_while_rows_come_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "BATCH_ROWS", 2)
    told: list[tuple[str, str, int]] = []
    house.pull(
        serving(customers=[[customer(1), customer(2)], [customer(3)]]),
        objects=["customers"],
        progress=lambda account, obj, rows: told.append((account.name, obj.name, rows)),
    )
    assert told == [("main", "customers", 2), ("main", "customers", 3)]


def test_landing_appends_rows_whose_payload_is_json(house: House) -> None:
    at = pa.array([datetime(2026, 11, 1, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))
    rows = pa.table({"landing_id": ["l1"], "received_at": at, "payload": [json.dumps({"a": 1})], "lane": ["speed"]})
    assert house.land("webhooks", rows) == 1
    assert house.land("webhooks", iter(rows.to_batches() * 2)) == 2
    assert house.land("webhooks", rows.slice(0, 0)) == 0
    assert house.rows("select landing_id, payload->>'a', lane from raw_fake.webhooks") == [("l1", "1", "speed")] * 3


def test_landing_and_pulling_share_a_dataset(house: House) -> None:
    house.land("webhooks", pa.table({"payload": ["{}"]}))
    house.pull(serving(customers=[[customer(1)]], notes=[[{"meta": {"id": 1}}]]))
    house.land("webhooks", pa.table({"payload": ["{}"]}))
    assert house.rows("select (select count(*) from raw_fake.webhooks), (select count(*) from raw_fake.notes)") == [
        (2, 1)
    ]


def test_the_overlap_of_an_object_is_its_own(house: House) -> None:
    slow = Fake(
        answer=lambda *_: iter([[customer(1)]]),
        objects=(type(CUSTOMERS)(name="customers", key="id", updated="updated_at", overlap=timedelta(days=3)),),
    )
    house.pull(slow)
    house.pull(slow)
    assert slow.asked[1][2] == datetime(2026, 10, 29, 10, tzinfo=UTC)
    assert NOTES.overlap == timedelta(minutes=5)


def test_a_table_made_before_the_first_pull_is_filled(house: House) -> None:
    """dbt needs the tables of every platform, so the house creates those that nothing has been pulled into yet."""
    columns = "account VARCHAR, record_id VARCHAR, updated_at TIMESTAMPTZ, extracted_at TIMESTAMPTZ"
    with duckdb.connect(str(house.warehouse)) as connection:
        connection.execute("create schema raw_fake")
        connection.execute(f"create table raw_fake.customers ({columns}, payload JSON, payload_hash VARCHAR)")
        connection.execute("create table raw_fake.webhooks (payload JSON, lane VARCHAR)")
    platform = serving(customers=[[customer(1)]])
    for _ in range(2):
        [pulled] = house.pull(platform, objects=["customers"])
        assert pulled.error is None
    house.land("webhooks", pa.table({"payload": ["{}"]}))
    assert house.ids() == [1, 1]
    assert [since is None for _, _, since in platform.asked] == [True, False]
    assert house.rows("select payload, lane from raw_fake.webhooks") == [("{}", None)]
