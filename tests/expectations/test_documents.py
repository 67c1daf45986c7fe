"""Data docs: a page per validation that can be read without a network, and that quotes no value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations import documents
from expectations.evaluation import evaluate
from expectations.suites import Suite
from expectations.validation import validate_audiences, validate_raw
from expectations.vocabulary import Expectation
from tests.expectations.conftest import AUDIENCE, JANE, SHOP, failed

LOADS = re.compile(
    r"""(?:src|srcset|data|action)\s*=\s*["']|url\(|@import|<(?:script|link|iframe|object|img)\b|https?://"""
)


def pages(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.html")}


def test_each_validated_table_has_a_page_that_the_index_links(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    validate_raw(warehouse, [SHOP], documents=tmp_path / "docs")
    validate_audiences(warehouse, [AUDIENCE], documents=tmp_path / "docs")
    found = pages(tmp_path / "docs")
    tables = {"raw-shop.customers", "raw-shop.tags", "raw-shop.webhooks", "audience-lapsed"}
    assert set(found) == {"index.html", *(f"{table}.html" for table in tables)}
    assert set(re.findall(r'href="([^"]+)"', found["index.html"])) - {"../report.html"} == set(found) - {"index.html"}
    assert "Nobody is admitted whose decision gives a reason other than ok." in found["audience-lapsed.html"]


def test_no_page_loads_anything(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    validate_audiences(warehouse, [AUDIENCE], documents=tmp_path)
    found = pages(tmp_path)
    assert {"index.html", "audience-lapsed.html"} <= set(found)
    for name, text in found.items():
        assert LOADS.findall(text) == [], name
        assert set(re.findall(r'href="([^"]+)"', text)) <= {"index.html", "../report.html", "audience-lapsed.html"}


def test_a_failed_expectation_is_shown_with_its_count(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    warehouse.execute("update marts.decisions set reason_codes = ['withdrawn'] where person_id like '%1'")
    validate_audiences(warehouse, [AUDIENCE], documents=tmp_path)
    found = pages(tmp_path)
    assert "1 failed" in found["audience-lapsed.html"]
    assert 'class="failed"' in found["index.html"]
    validate_audiences(warehouse, [{**AUDIENCE}], documents=tmp_path)
    assert found["index.html"].count("<tr>") == 2


def test_a_value_in_an_error_is_not_on_the_page(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    query = "select person_id as reference from (select * from {batch}) where identifier::integer > 0"
    suite = Suite(
        boundary="audience", subject="lapsed", schema="audiences", table="lapsed",
        expectations=(Expectation(name="counts", description="It counts.", query=query),),
    )  # fmt: skip
    results = evaluate(warehouse, [suite], documents=tmp_path)
    assert failed(results) == {("lapsed", "counts")}
    text = pages(tmp_path)["audience-lapsed.html"]
    assert "It could not be evaluated" in text
    assert JANE not in text
    assert "Conversion" not in text


def test_no_identifier_is_on_any_page(warehouse: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    validate_raw(warehouse, [SHOP], documents=tmp_path)
    validate_audiences(warehouse, [AUDIENCE], documents=tmp_path)
    found = pages(tmp_path)
    assert "audience-lapsed.html" in found
    assert [name for name, text in found.items() if "@example.com" in text] == []


def test_for_want_of_a_page_no_check_is_worse(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(documents, "write", full_disk)
    assert failed(validate_audiences(warehouse, [AUDIENCE], documents=tmp_path)) == set()


def test_without_a_folder_nothing_is_written(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    validate_audiences(warehouse, [AUDIENCE])
    assert list(tmp_path.rglob("*.html")) == []
