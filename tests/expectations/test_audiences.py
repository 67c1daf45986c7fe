"""Audiences to destinations: each expectation passes on a sound audience and fails on the row that breaks it."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from expectations.validation import validate_audiences

from .conftest import AUDIENCE, JANE, failed, the

SECOND = "person_id = 'p_0000000000000002'"
#: An audience row that is changed no longer finds its decision.
NO_DECISION = {"everybody_is_eligible"}

BREAKAGES: list[tuple[str, str, set[str]]] = [
    ("build_is_the_clocks", f"update audiences.lapsed set build_id = 6 where {SECOND}", set()),
    ("build_is_the_clocks", f"update audiences.lapsed set build_id = null where {SECOND}", set()),
    (
        "question_is_the_twins",
        f"update audiences.lapsed set question_id = 'sms|marketing|*|*|none|default' where {SECOND}",
        NO_DECISION,
    ),
    ("everybody_is_eligible", f"delete from marts.decisions where {SECOND}", set()),
    ("everybody_is_eligible", f"update marts.decisions set eligible = false where {SECOND}", set()),
    ("everybody_is_eligible", f"update marts.decisions set eligible = null where {SECOND}", set()),
    ("everybody_is_eligible", f"update marts.decisions set identifier = 'old@example.com' where {SECOND}", set()),
    ("nobody_admitted_without_ok", f"update marts.decisions set reason_codes = ['unknown'] where {SECOND}", set()),
    ("nobody_admitted_without_ok", f"update marts.decisions set reason_codes = null where {SECOND}", set()),
    (
        "no_withdrawn_identifier",
        "insert into marts.withdrawals values ('email', 'sam@example.com', 'email', 'x')",
        set(),
    ),
    ("no_withdrawn_identifier", "insert into marts.withdrawals values ('email', 'sam@example.com', '*', 'x')", set()),
    ("identifier_is_valid", f"update audiences.lapsed set identifier = 'sam@example' where {SECOND}", NO_DECISION),
    ("identifier_is_valid", f"update audiences.lapsed set identifier = 'Sam@example.com' where {SECOND}", NO_DECISION),
    ("identifier_is_valid", f"update audiences.lapsed set identifier = null where {SECOND}", NO_DECISION),
    (
        "identifier_serves_the_channel",
        f"update audiences.lapsed set identifier_type = 'phone', identifier = '+14155550123' where {SECOND}",
        NO_DECISION,
    ),
]


def checks(warehouse: duckdb.DuckDBPyConnection, **changes: Any) -> set[str]:
    """The checks of the audience that fail when its catalogue entry is changed."""
    return {name for _, name in failed(validate_audiences(warehouse, [{**AUDIENCE, **changes}]))}


def test_a_sound_audience_passes_every_expectation(warehouse: duckdb.DuckDBPyConnection) -> None:
    results = validate_audiences(warehouse, [AUDIENCE])
    assert failed(results) == set()
    assert {(result.boundary, result.subject, result.evaluated) for result in results} == {("audience", "lapsed", 2)}


@pytest.mark.parametrize(("check", "change", "consequences"), BREAKAGES)
def test_one_bad_row_fails_the_expectation_it_breaks_and_names_the_person(
    warehouse: duckdb.DuckDBPyConnection, check: str, change: str, consequences: set[str]
) -> None:
    warehouse.execute(change)
    results = validate_audiences(warehouse, [AUDIENCE])
    assert {name for _, name in failed(results)} == {check} | consequences
    result = the(results, "lapsed", check)
    assert (result.evaluated, result.unexpected, result.sample) == (2, 1, ("p_0000000000000002",))


def test_an_identifier_listed_twice_fails_with_everybody_who_lists_it(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("insert into audiences.lapsed select * from audiences.lapsed where " + SECOND)
    result = the(validate_audiences(warehouse, [AUDIENCE]), "lapsed", "nobody_listed_twice")
    assert (result.success, result.unexpected, result.sample) == (False, 2, ("p_0000000000000002",))


def test_two_who_share_an_address_are_listed_once_each(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("insert into audiences.lapsed select * from audiences.lapsed where " + SECOND)
    warehouse.execute(
        "update audiences.lapsed set person_id = 'p_0000000000000009'"
        f" where rowid = (select max(rowid) from audiences.lapsed where {SECOND})"
    )
    assert the(validate_audiences(warehouse, [AUDIENCE]), "lapsed", "nobody_listed_twice").success


def test_a_number_is_valid_only_in_e164(warehouse: duckdb.DuckDBPyConnection) -> None:
    change = f"update audiences.lapsed set identifier_type = 'phone', identifier = ? where {SECOND}"
    warehouse.execute(change, ["+14155550123"])
    assert "identifier_is_valid" not in checks(warehouse)
    for number in ("4155550123", "+1 415 555 0123", "+04155550123", "+14"):
        warehouse.execute(change, [number])
        assert "identifier_is_valid" in checks(warehouse), number


def test_a_text_needs_a_number(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert "identifier_serves_the_channel" in checks(warehouse, channel="sms")
    warehouse.execute("update audiences.lapsed set identifier_type = 'phone'")
    assert "identifier_serves_the_channel" not in checks(warehouse, channel="sms")


def test_a_transactional_email_may_go_to_who_left_marketing_but_not_to_a_bounced_address(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    warehouse.execute(f"insert into marts.withdrawals values ('email', '{JANE}', 'email', 'withdrawn')")
    assert checks(warehouse, purpose="marketing") == {"no_withdrawn_identifier"}
    assert checks(warehouse, purpose="transactional") == set()
    warehouse.execute(f"insert into marts.withdrawals values ('email', '{JANE}', 'email', 'hard_bounce')")
    assert checks(warehouse, purpose="transactional") == {"no_withdrawn_identifier"}


def test_a_withdrawal_from_another_channel_does_not_count(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute(f"insert into marts.withdrawals values ('email', '{JANE}', 'ads_audience', 'withdrawn')")
    assert checks(warehouse) == set()


def test_a_mapped_trait_that_is_no_column_is_named(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("alter table audiences.lapsed drop column last_at")
    results = validate_audiences(warehouse, [AUDIENCE])
    assert the(results, "lapsed", "traits_exist").sample == ("column last_at",)
    assert "last_at" in the(results, "lapsed", "no_birth_date_values").error


@pytest.mark.parametrize(
    "column",
    [
        "date_of_birth date",
        "birthDate varchar",
        "dob varchar",
        "profile struct(birthday date, city varchar)",
        "born date",
    ],
)
def test_a_column_that_is_named_like_a_birth_date_fails(warehouse: duckdb.DuckDBPyConnection, column: str) -> None:
    warehouse.execute(f"alter table audiences.lapsed add column {column}")
    result = the(validate_audiences(warehouse, [AUDIENCE]), "lapsed", "no_birth_date_column")
    assert (result.success, result.sample) == (False, (f"column {column.split()[0]}",))


@pytest.mark.parametrize("column", ["age_ok_vape", "newborn_products", "last_order_date", "doberman_owner"])
def test_a_column_that_only_sounds_like_a_birth_date_passes(warehouse: duckdb.DuckDBPyConnection, column: str) -> None:
    warehouse.execute(f"alter table audiences.lapsed add column {column} varchar")
    assert checks(warehouse) == set()


@pytest.mark.parametrize("kind", ["date", "varchar", "timestamptz"])
def test_a_birth_date_under_another_name_is_known_by_its_values(
    warehouse: duckdb.DuckDBPyConnection, kind: str
) -> None:
    warehouse.execute(f"alter table audiences.lapsed alter last_at type {kind} using '1984-03-02'::{kind}")
    result = the(validate_audiences(warehouse, [AUDIENCE]), "lapsed", "no_birth_date_values")
    assert (result.success, result.sample) == (False, ("column last_at",))
    warehouse.execute(f"update audiences.lapsed set last_at = '2019-03-02'::{kind}")
    assert checks(warehouse) == set()


def test_an_empty_audience_passes_but_its_columns_are_still_judged(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("delete from audiences.lapsed")
    results = validate_audiences(warehouse, [AUDIENCE])
    assert failed(results) == set()
    assert {result.evaluated for result in results} == {0}
    warehouse.execute("alter table audiences.lapsed add column dob date")
    assert checks(warehouse) == {"no_birth_date_column"}


def test_an_audience_that_was_never_built_fails(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("drop table audiences.lapsed")
    results = validate_audiences(warehouse, [AUDIENCE])
    assert failed(results) == {("lapsed", "columns_present")}
    assert the(results, "lapsed", "columns_present").sample[0] == "column as_of"


def test_a_retired_audience_is_not_judged(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert validate_audiences(warehouse, [{**AUDIENCE, "name": "gone", "retired": True}]) == []


def test_a_twin_that_lacks_its_question_admits_nobody(warehouse: duckdb.DuckDBPyConnection) -> None:
    entry = {"name": "lapsed", "channel": "email", "purpose": "marketing"}
    assert failed(validate_audiences(warehouse, [entry])) == {("lapsed", "question_is_the_twins")}
