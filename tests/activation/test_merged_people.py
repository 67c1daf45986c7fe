"""Memberships belong to records: people may merge and split above them."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestration.activation.planned import PlannedRow
from tests.activation.shop import Shop

PERSONS = ("marts.destination_records", "marts.decisions", "audiences.buyers")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.audience()
    return shop


def planned(shop: Shop) -> list[tuple[str, str | None, str]]:
    """Operation, record and reason of every row of every plan."""
    found: list[tuple[str, str | None, str]] = []
    for summary in shop.plan().values():
        if summary.file:
            rows = (PlannedRow(**row) for row in pq.read_table(shop.home.data / summary.file).to_pylist())
            found += [(row.op, row.record_id, row.reason) for row in rows]
    return sorted(found)


def call(shop: Shop, *numbers: int, person: str) -> None:
    """Make these people one, of this id."""
    with shop.open() as connection:
        for number in numbers:
            for table in PERSONS:
                connection.execute(f"UPDATE {table} SET person_id = ? WHERE person_id = ?", [person, f"p{number}"])


def live(shop: Shop, *numbers: int) -> None:
    shop.build({"buyers": numbers})
    shop.plan()
    shop.apply()


def test_a_merge_neither_adds_nor_removes_a_record_whose_membership_stays(shop: Shop) -> None:
    live(shop, 1, 2, 3)
    shop.build({"buyers": [1, 2, 3]})
    call(shop, 1, 2, person="p1")
    assert {op for op, _, _ in planned(shop)} <= {"update"}
    shop.apply()
    assert shop.on("list:Buyers") == {1, 2, 3}


def test_a_split_neither_adds_nor_removes_a_record_whose_membership_stays(shop: Shop) -> None:
    shop.build({"buyers": [1, 2]})
    call(shop, 1, 2, person="p1")
    shop.plan()
    shop.apply()
    shop.build({"buyers": [1, 2]})
    call(shop, 2, person="p_new")
    assert {op for op, _, _ in planned(shop)} <= {"update"}
    shop.apply()
    assert shop.on("list:Buyers") == {1, 2}


def test_who_merges_with_somebody_that_withdrew_leaves_with_all_records(shop: Shop) -> None:
    live(shop, 1, 2, 3)
    shop.build({"buyers": [3]}, refused={1: "withdrawn", 2: "withdrawn"})
    call(shop, 1, 2, person="p1")
    assert planned(shop) == [("remove", "r1", "withdrawn"), ("remove", "r2", "withdrawn")]
    shop.apply()
    assert shop.on("list:Buyers") == {3}


def test_who_is_split_from_somebody_that_withdrew_may_come_back(shop: Shop) -> None:
    live(shop, 3)
    shop.build({"buyers": [2, 3]}, refused={1: "withdrawn"})
    call(shop, 2, person="p_new")
    assert planned(shop) == [("add", "r2", "admitted")]


def test_nobody_is_created_where_another_person_has_the_address_already(shop: Shop) -> None:
    shop.audience(create_missing=True)
    shop.build({"buyers": [2]}, without_record=[2])
    with shop.open() as connection:
        connection.execute("UPDATE marts.destination_records SET email = 'p2@example.com' WHERE person_id = 'p1'")
    assert planned(shop) == []
