"""What holds for every check: it tells no personal data, never crashes, leaves nothing open and is kept."""

from __future__ import annotations

import gc
import logging
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from expectations.validation import record, validate_audiences, validate_raw

from .conftest import AUDIENCE, JANE, SHOP, failed, land, the


def test_no_result_log_or_output_tells_personal_data(
    warehouse: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every value of every row is an address, so every check that quoted a value would tell one."""
    warehouse.execute("update raw_shop.customers set updated_at = extracted_at + interval 1 day")
    for column in ("account", "record_id", "payload_hash"):
        warehouse.execute(f"update raw_shop.customers set {column} = '{JANE}'")
    warehouse.execute(f"update raw_shop.customers set payload = '\"{JANE}\"' where rowid > 0")
    for column in ("person_id", "identifier_type", "question_id", "audience"):
        warehouse.execute(f"update audiences.lapsed set {column} = '{JANE}'")
    warehouse.execute(f"update audiences.lapsed set identifier = '{JANE}', build_id = 0")
    # These types make DuckDB fail on the values it compares, and say which.
    warehouse.execute("alter table marts.decisions alter identifier type integer using 1")
    warehouse.execute("alter table marts.withdrawals alter identifier type integer using 1")
    with caplog.at_level(logging.DEBUG):
        results = validate_raw(warehouse, [SHOP]) + validate_audiences(warehouse, [AUDIENCE])
    record(warehouse, 7, results)
    kept = warehouse.execute("select * from quality.check_results").fetchall()
    assert len(failed(results)) >= 12
    assert "Conversion Error" in the(results, "lapsed", "everybody_is_eligible").error
    for text in (repr(results), repr(kept), caplog.text, *capfd.readouterr()):
        assert "jane.doe" not in text


def test_a_person_id_that_is_not_ours_is_hashed(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("update audiences.lapsed set person_id = 'Jane Doe', build_id = 0")
    (reference,) = the(validate_audiences(warehouse, [AUDIENCE]), "lapsed", "build_is_the_clocks").sample
    assert reference.startswith("unknown_")
    assert "Jane" not in reference


def test_a_check_that_cannot_be_evaluated_fails_with_its_reason_and_the_others_go_on(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    warehouse.execute("drop table marts.withdrawals; drop table raw_audiences.accounts")
    results = validate_audiences(warehouse, [AUDIENCE]) + validate_raw(warehouse, [SHOP])
    assert failed(results) == {("lapsed", "no_withdrawn_identifier")} | {
        (f"shop.{table}", "account_is_configured") for table in ("customers", "tags")
    }
    assert "withdrawals" in the(results, "lapsed", "no_withdrawn_identifier").error


@pytest.mark.parametrize("part", ["data_source", "count_unexpected"])
def test_a_failure_of_great_expectations_itself_fails_the_checks(
    warehouse: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    from expectations import engine

    def broken(*_: object, **__: object) -> None:
        raise ValueError(JANE)

    monkeypatch.setattr(engine, part, broken)
    results = validate_audiences(warehouse, [AUDIENCE])
    assert {result.success for result in results} == {False}
    assert "ValueError" in results[0].error
    assert JANE not in repr(results)


def test_an_expectation_without_a_result_has_not_passed(
    warehouse: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations import engine

    monkeypatch.setattr(engine, "count_unexpected", lambda *_, **__: {"traits_exist": 0})
    results = validate_audiences(warehouse, [AUDIENCE])
    assert [result.check_name for result in results if result.success] == ["traits_exist"]


def test_a_sample_is_short_and_the_same_every_time(warehouse: duckdb.DuckDBPyConnection) -> None:
    for number in range(50):
        land(warehouse, "customers", "", f'{{"id": {number}}}')
    first, second = (the(validate_raw(warehouse, [SHOP]), "shop.customers", "record_id_present") for _ in range(2))
    assert (first.unexpected, len(first.sample)) == (50, 5)
    assert first.sample == second.sample


def test_results_are_kept_and_checking_again_replaces_them(warehouse: duckdb.DuckDBPyConnection) -> None:
    results = validate_raw(warehouse, [SHOP])
    record(warehouse, 7, results)
    warehouse.execute("update raw_shop.tags set account = 'forgotten'")
    record(warehouse, 7, [result for result in validate_raw(warehouse, [SHOP]) if result.subject == "shop.tags"])
    rows = warehouse.execute(
        "select boundary, subject, check_name, evaluated, unexpected, len(sample), checked_at is not null "
        "from quality.check_results where build_id = 7 and not success"
    ).fetchall()
    assert rows == [("raw", "shop.tags", "account_is_configured", 1, 1, 1, True)]
    total = warehouse.execute("select count(*) from quality.check_results").fetchone()
    assert total == (len(results),)


def test_another_build_keeps_its_own_results(warehouse: duckdb.DuckDBPyConnection) -> None:
    results = validate_audiences(warehouse, [AUDIENCE])
    record(warehouse, 7, results)
    record(warehouse, 8, results)
    builds = warehouse.execute("select build_id, count(*) from quality.check_results group by all order by all")
    assert builds.fetchall() == [(7, len(results)), (8, len(results))]


def test_a_path_is_opened_for_the_checks_and_let_go(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A second process can open the file at once; DuckDB refuses that while any cursor is left."""
    warehouse.close()
    path = tmp_path / "warehouse.duckdb"
    gc.disable()
    try:
        assert failed(validate_raw(path, [SHOP]) + validate_audiences(path, [AUDIENCE])) == set()
        subprocess.run([sys.executable, "-c", f"import duckdb; duckdb.connect({str(path)!r})"], check=True, timeout=60)
    finally:
        gc.enable()


def test_checks_run_beside_other_connections_of_the_process(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as other:
        assert failed(validate_raw(tmp_path / "warehouse.duckdb", [SHOP])) == set()
        assert other.execute("select 1").fetchone() == (1,)


def test_checks_open_no_network_connection(
    warehouse: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: attempts.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: attempts.append(address))
    validate_raw(warehouse, [SHOP])
    assert attempts == []


def printed_by(program: str) -> str:
    """What a Python program prints that knows this repository and has imported nothing yet."""
    command, root = [sys.executable, "-c", program], Path(__file__).parents[2]
    return subprocess.run(command, check=True, timeout=60, cwd=root, stdout=subprocess.PIPE, text=True).stdout.strip()


def test_importing_the_expectations_does_not_import_great_expectations() -> None:
    modules = "expectations.validation, expectations.vocabulary, expectations.suites.raw, expectations.suites.audiences"
    slow = "{'great_expectations', 'sqlalchemy'}"
    assert printed_by(f"import sys, {modules}; print({slow} & {{*sys.modules}})") == "set()"


def test_where_nothing_is_to_be_judged_great_expectations_is_not_imported(tmp_path: Path) -> None:
    program = (
        "import sys, duckdb\n"
        "from dlt_sources.platform import Object, Platform\n"
        "from expectations.validation import validate_raw\n"
        "platform = Platform(name='x', title='X', documentation='',"
        " objects=(Object(name='people', key='id', updated=None),))\n"
        f"results = validate_raw(duckdb.connect({str(tmp_path / 'empty.duckdb')!r}), [platform])\n"
        "print({result.success for result in results}, 'great_expectations' in sys.modules)"
    )
    assert printed_by(program) == "{True} False"
