"""Receipts of registries: what a file says is kept once, what does not fit is counted, and builds load it whole."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from dlt_sources.errors import ConfigurationError
from orchestration import warehouse
from orchestration.home import Home
from orchestration.inputs import receipts
from orchestration.inputs.reading import Layout
from orchestration.inputs.receipts import Kept

UTAH, CALLS, GIVEN_UP = "child_protection_utah", "do_not_call_us", "reassigned_numbers_us"
DAY = date(2026, 11, 20)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def raw(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, [], [])
        yield connection


def keep(
    home: Home, file: Path | None, registry: str = UTAH, *, day: date = DAY, whole: bool = False, **layout: object
) -> Kept:
    return receipts.keep(
        home, file, Layout(**layout), registry=registry, checked_on=day, whole_list=whole, actor="jo"  # type: ignore[arg-type]
    )  # fmt: skip


def written(home: Home, text: str, name: str = "answer.csv") -> Path:
    file = home.folder / name
    file.write_bytes(text.encode())
    return file


def loaded(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT registry, identifier, result, since, compared_at FROM raw_audiences.registry_receipts ORDER BY ALL"
    ).fetchall()


def test_every_row_says_what_was_compared_and_what_was_found(home: Home, raw: duckdb.DuckDBPyConnection) -> None:
    answer = written(
        home,
        "\ufeffEmail,Result,Since\n Jane@b.c ,Listed,2026-01-31\njo@b.c,clear,\n@School.example,listed,20251231\n"
        "+1 (415) 555-0101,listed,\n4155550102,clear,\n",
    )
    done = keep(home, answer)
    assert (done.is_repeat, done.receipt.results, done.receipt.misfits) == (False, {"clear": 2, "listed": 3}, {})
    assert receipts.load(home, raw) == 5
    at = datetime(2026, 11, 20, tzinfo=UTC)
    assert [(name, result, since) for _, name, result, since, _ in loaded(raw)] == [
        ("+14155550101", "listed", None),
        ("+14155550102", "clear", None),
        ("@school.example", "listed", date(2025, 12, 31)),
        ("Jane@b.c", "listed", date(2026, 1, 31)),
        ("jo@b.c", "clear", None),
    ]
    assert {row[4] for row in loaded(raw)} == {at}


def test_what_does_not_fit_is_set_aside_by_row_and_reason_and_the_rest_counts(
    home: Home, raw: duckdb.DuckDBPyConnection
) -> None:
    answer = written(
        home,
        "email,result,since\njane@b.c,listed,soon\nnobody,listed,\n,listed,\njo@b.c,maybe,\nal@b.c,disconnected,\n"
        "one,too,many,columns\nkim@b.c,,\nlee@b.c,listed,2026-11-21\n",
    )
    done = keep(home, answer)
    assert done.receipt.misfits == {
        "identifier missing": 1,
        "identifier not_an_identifier": 1,
        "result missing": 1,
        "result not_of_this_registry": 1,
        "result unknown_value": 1,
        "row unreadable": 1,
        "since in_the_future": 1,
        "since not_date": 1,
    }
    assert receipts.load(home, raw) == 2
    assert [row[1:4] for row in loaded(raw)] == [("jane@b.c", "listed", None), ("lee@b.c", "listed", None)]
    aside = raw.execute("SELECT field, reason FROM raw_audiences.registry_misfits").fetchall()
    assert len(aside) == 8
    assert "nobody" not in str(raw.execute("FROM raw_audiences.registry_misfits").fetchall())


def test_the_same_file_twice_has_one_effect(home: Home, raw: duckdb.DuckDBPyConnection) -> None:
    answer = written(home, "email,result\njane@b.c,listed\n")
    first = keep(home, answer)
    again = keep(home, written(home, "email,result\njane@b.c,listed\n", "copy.csv"))
    assert (again.is_repeat, again.receipt) == (True, first.receipt)
    receipts.load(home, raw)
    assert receipts.load(home, raw) == 0
    assert len(loaded(raw)) == 1
    later = keep(home, answer, day=DAY + timedelta(days=1))
    assert not later.is_repeat, "the same answer on another day is another comparison"


def test_a_whole_list_counts_only_when_every_row_of_it_could_be_read(
    home: Home, raw: duckdb.DuckDBPyConnection
) -> None:
    torn = keep(home, written(home, "email,result\njane@b.c,listed\nnobody,listed\n"), whole=True)
    assert not torn.receipt.whole_list
    receipts.load(home, raw)
    assert [row[1] for row in loaded(raw)] == ["jane@b.c"]
    whole = keep(home, written(home, "email,since\njane@b.c,soon\n", "mended.csv"), whole=True, result="listed")
    assert whole.receipt.whole_list, "a day that cannot be read leaves nobody out"
    receipts.load(home, raw)
    assert [row[1:3] for row in loaded(raw)] == [("jane@b.c", "listed"), ("jane@b.c", "listed"), (None, "clear")]


def test_a_comparison_that_found_nothing_says_what_was_compared(home: Home, raw: duckdb.DuckDBPyConnection) -> None:
    assert keep(home, None, whole=True).receipt.whole_list
    assert keep(home, None, whole=True).is_repeat
    keep(home, written(home, "phone\n415-555-0101\n"), CALLS, result="clear")
    receipts.load(home, raw)
    assert [row[:3] for row in loaded(raw)] == [(UTAH, None, "clear"), (CALLS, "+14155550101", "clear")]


def test_the_words_of_a_registry_are_read_as_told(home: Home) -> None:
    answer = written(home, "number;answer\n4155550101;YES\n4155550102;no\n4155550103;no data\n")
    done = keep(home, answer, GIVEN_UP, result_column="answer", reads={"yes": "disconnected", "no": "clear"})
    assert done.receipt.results == {"clear": 1, "disconnected": 1}
    assert done.receipt.misfits == {"result unknown_value": 1}


@pytest.mark.parametrize("name", ["answer.parquet", "answer.duckdb"])
def test_a_table_of_ours_is_read_as_a_file_is(home: Home, name: str) -> None:
    rows = "SELECT 4155550101::BIGINT AS phone, 'listed' AS result, DATE '2026-01-01' AS since"
    file = home.folder / name
    with duckdb.connect(str(file) if name.endswith(".duckdb") else ":memory:") as connection:
        if name.endswith(".duckdb"):
            connection.execute(f"CREATE SCHEMA scrubs; CREATE TABLE scrubs.calls AS {rows}")
        else:
            connection.execute(f"COPY ({rows}) TO '{file}' (FORMAT parquet)")
    done = keep(home, file, CALLS, table="scrubs.calls" if name.endswith(".duckdb") else "")
    assert done.receipt.results == {"listed": 1}


def test_a_receipt_that_is_taken_back_counts_no_more_and_may_be_brought_again(
    home: Home, raw: duckdb.DuckDBPyConnection
) -> None:
    answer = written(home, "email,result\njane@b.c,clear\n")
    first = keep(home, answer).receipt
    receipts.load(home, raw)
    taken = receipts.retract(home, first.import_id[:12], actor="al", reason="another list")
    assert receipts.retract(home, first.import_id, actor="kim", reason="again").retracted == taken.retracted
    receipts.load(home, raw)
    assert raw.execute("SELECT retracted_at FROM raw_audiences.registry_receipts").fetchall() == [(taken.retracted.at,)]  # type: ignore[union-attr]
    again = keep(home, answer)
    assert not again.is_repeat
    receipts.load(home, raw)
    standing = "SELECT count(*) FROM raw_audiences.registry_receipts WHERE retracted_at IS NULL"
    assert raw.execute(standing).fetchone() == (1,)


def test_what_is_kept_is_for_its_owner_alone(home: Home) -> None:
    keep(home, written(home, "email,result\njane@b.c,clear\n"))
    kept = list(home.receipts.iterdir())
    assert sorted(path.suffix for path in kept) == [".json", ".parquet"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert stat.S_IMODE(home.receipts.stat().st_mode) == 0o700


def test_a_new_warehouse_takes_every_receipt_again(home: Home, raw: duckdb.DuckDBPyConnection) -> None:
    keep(home, written(home, "email,result\njane@b.c,clear\n"))
    receipts.load(home, raw)
    raw.execute("DROP SCHEMA raw_audiences CASCADE")
    warehouse.ensure_raw(raw, [], [])
    assert receipts.load(home, raw) == 1


def test_a_damaged_receipt_does_not_count_and_stops_nothing(home: Home, raw: duckdb.DuckDBPyConnection) -> None:
    gone = keep(home, written(home, "email,result\njane@b.c,clear\n")).receipt
    torn = keep(home, written(home, "email,result\njo@b.c,clear\n", "b.csv")).receipt
    cut = keep(home, written(home, "email,result\nmo@b.c,clear\n", "d.csv")).receipt
    keep(home, written(home, "email,result\nal@b.c,clear\n", "c.csv"))
    rows = home.receipts / f"{cut.import_id}.parquet"
    rows.write_bytes(rows.read_bytes()[:-20])
    (home.receipts / f"{gone.import_id}.parquet").unlink()
    (home.receipts / f"{torn.import_id}.json").write_text("{")
    assert receipts.load(home, raw) == 1
    assert [row[1] for row in loaded(raw)] == ["al@b.c"]


@pytest.mark.parametrize(
    ("content", "options", "advice"),
    [
        ("", {}, "answer.csv is empty"),
        ("email,result\n", {}, "answer.csv has a header and no rows"),
        ("mail,result\njane@b.c,listed\n", {}, "--column"),
        ("jane@b.c\njo@b.c\n", {}, "put the names of its columns first"),
        ("4155550101,x\n4155550102,y\n", {"column": "phone"}, "put the names of its columns first"),
        ("email,result\njane@b.c,listed\n", {"column": "mail"}, "has no column 'mail'; it has email, result"),
        ("email,result\njane@b.c,listed\n", {"column": "result"}, "Mend --column"),
        ("email\njane@b.c\n", {}, "--result-column"),
        ("email,result\njane@b.c,yes\n", {}, "--reads"),
        ("email,result\njane@b.c,disconnected\n", {}, "listed or clear"),
        ("email,result\njane@b.c,listed\n", {"table": "a.b"}, "--table"),
        ("email,result\njane@b.c,listed\n", {"result": "clear", "result_column": "result"}, "not both"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_is_refused_by_its_name_with_what_to_do(
    home: Home, content: str, options: dict[str, str], advice: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        keep(home, written(home, content), **options)
    assert "answer.csv" in str(refused.value)
    assert advice in str(refused.value)
    assert "jane" not in str(refused.value)
    assert "4155550101" not in str(refused.value)
    assert list(home.receipts.iterdir()) == []


def test_an_unknown_registry_a_day_to_come_and_a_missing_file_are_refused(home: Home) -> None:
    answer = written(home, "email,result\njane@b.c,listed\n")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    for advice, call in {
        "known are child_protection_utah": lambda: keep(home, answer, "utah"),
        "answer.csv: .* lies in the future": lambda: keep(home, answer, day=tomorrow),
        "There is no file nowhere.csv": lambda: keep(home, home.folder / "nowhere.csv"),
        "give a file, or --whole-list": lambda: keep(home, None),
    }.items():
        with pytest.raises(ConfigurationError, match=advice):
            call()
    assert receipts.kept(home) == []
