"""Raw to staging: each expectation of the raw suites passes on sound rows and fails on the row that breaks it."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import duckdb
import pytest

from dlt_sources import registry
from dlt_sources.platform import Object, Platform
from expectations.suites import raw
from expectations.validation import validate_raw

from .conftest import PULLED_AT, SHOP, begin_build, failed, land, the

FIRST = '{"id": 0, "attributes": {"email": "jane.doe@example.com"}}'
REFERENCE = f"shop:customers:{sha256(FIRST.encode()).hexdigest()[:12]}"

BREAKAGES = [
    ("payload_is_an_object", "payload = '[1, 2]'"),
    ("payload_hash_present", "payload_hash = 'none'"),
    ("record_id_is_the_payloads", "record_id = '77'"),
    ("required_paths_present", """payload = '{"id": 0, "attributes": {"email": null}}'"""),
    ("required_paths_present", """payload = '{"id": 0, "attributes": "none"}'"""),
    ("updated_not_in_the_future", "updated_at = extracted_at + interval 6 minutes"),
    ("extracted_at_present", "extracted_at = null"),
    ("account_is_configured", "account = 'forgotten'"),
    ("account_is_configured", "account = null"),
]


def test_a_sound_load_passes_every_expectation(warehouse: duckdb.DuckDBPyConnection) -> None:
    results = validate_raw(warehouse, [SHOP])
    assert failed(results) == set()
    assert all(result.boundary == "raw" and result.seconds > 0 for result in results)
    assert {(result.subject, result.evaluated) for result in results} == {
        ("shop.customers", 3),
        ("shop.tags", 1),
        ("shop.webhooks", 1),
    }


@pytest.mark.parametrize(("check", "change"), BREAKAGES)
def test_one_bad_row_fails_the_expectation_it_breaks_and_no_other(
    warehouse: duckdb.DuckDBPyConnection, check: str, change: str
) -> None:
    warehouse.execute(f"update raw_shop.customers set {change} where record_id = '0'")
    results = validate_raw(warehouse, [SHOP])
    assert failed(results) == {("shop.customers", check)}
    result = the(results, "shop.customers", check)
    assert (result.evaluated, result.unexpected, len(result.sample)) == (3, 1, 1)
    assert result.sample[0].startswith("shop:customers:")


@pytest.mark.parametrize("nothing", ["null", "''", "'  '"])
def test_a_row_that_names_no_record_fails(warehouse: duckdb.DuckDBPyConnection, nothing: str) -> None:
    warehouse.execute(f"update raw_shop.customers set record_id = {nothing} where record_id = '0'")
    result = the(validate_raw(warehouse, [SHOP]), "shop.customers", "record_id_present")
    assert (result.success, result.unexpected, result.sample) == (False, 1, (REFERENCE,))


def test_a_missing_path_is_named_beside_the_version_that_lacks_it(warehouse: duckdb.DuckDBPyConnection) -> None:
    land(warehouse, "customers", "9", '{"id": 9}')
    result = the(validate_raw(warehouse, [SHOP]), "shop.customers", "required_paths_present")
    digest = sha256(b'{"id": 9}').hexdigest()[:12]
    assert result.sample == (f"shop:customers:{digest} lacks attributes.email",)


def test_a_missing_column_is_named_and_checks_that_need_it_say_so(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("alter table raw_shop.customers drop column account")
    results = validate_raw(warehouse, [SHOP])
    assert failed(results) == {("shop.customers", "columns_present"), ("shop.customers", "account_is_configured")}
    assert the(results, "shop.customers", "columns_present").sample == ("column account",)
    assert "account" in the(results, "shop.customers", "account_is_configured").error


def test_without_extraction_times_no_expectation_about_rows_passes(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("alter table raw_shop.tags drop column extracted_at")
    results = [result for result in validate_raw(warehouse, [SHOP]) if result.subject == "shop.tags"]
    assert {result.success for result in results} == {False}
    assert the(results, "shop.tags", "columns_present").sample == ("column extracted_at",)


@pytest.mark.parametrize(
    "change", ["landing_id = ''", "landing_id = null", "lane = 'slow'", "lane = null", "received_at = null"]
)
def test_a_webhook_without_its_landing_fails(warehouse: duckdb.DuckDBPyConnection, change: str) -> None:
    warehouse.execute(f"update raw_shop.webhooks set {change}")
    assert failed(validate_raw(warehouse, [SHOP])) == {("shop.webhooks", "landing_is_known")}


def test_a_webhook_of_an_unknown_topic_or_with_an_unreadable_body_passes(warehouse: duckdb.DuckDBPyConnection) -> None:
    land(warehouse, "webhooks", "d2", '{"_unparsed": "AAEC"}', "'l2', 'unheard/of', 'care', now()")
    assert failed(validate_raw(warehouse, [SHOP])) == set()


@pytest.mark.parametrize(("body", "sound"), [('[{"objectId": 1}]', True), ('"stop"', False), ("null", False)])
def test_the_body_of_a_webhook_may_be_a_list_of_acts(
    warehouse: duckdb.DuckDBPyConnection, body: str, sound: bool
) -> None:
    land(warehouse, "webhooks", "d2", body, "'l2', 'customers/update', 'care', now()")
    expected = set() if sound else {("shop.webhooks", "payload_is_an_object_or_a_list")}
    assert failed(validate_raw(warehouse, [SHOP])) == expected


def test_a_payload_kept_as_text_is_read_as_json(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("alter table raw_shop.customers alter payload type varchar")
    assert failed(validate_raw(warehouse, [SHOP])) == set()
    warehouse.execute("update raw_shop.customers set payload = '<html>' where record_id = '0'")
    assert failed(validate_raw(warehouse, [SHOP])) == {("shop.customers", "payload_is_an_object")}


def test_only_what_came_since_the_last_build_is_judged(warehouse: duckdb.DuckDBPyConnection) -> None:
    land(warehouse, "customers", "", "[]")
    assert failed(validate_raw(warehouse, [SHOP]))
    begin_build(warehouse, 1, PULLED_AT + timedelta(minutes=1))
    assert {result.evaluated for result in validate_raw(warehouse, [SHOP]) if "webhooks" not in result.subject} == {0}
    land(warehouse, "customers", "5", FIRST.replace("0", "5"), at=PULLED_AT + timedelta(minutes=1))
    results = validate_raw(warehouse, [SHOP])
    assert failed(results) == set()
    assert the(results, "shop.customers", "record_id_present").evaluated == 1


def test_a_webhook_that_was_loaded_one_build_late_is_still_judged(warehouse: duckdb.DuckDBPyConnection) -> None:
    begin_build(warehouse, 1, PULLED_AT - timedelta(minutes=1))
    begin_build(warehouse, 2, PULLED_AT + timedelta(minutes=1))
    land(warehouse, "webhooks", "", "{}", "'l2', 'customers/update', 'segmentation', now()")
    assert failed(validate_raw(warehouse, [SHOP])) == {("shop.webhooks", "record_id_present")}
    begin_build(warehouse, 3, PULLED_AT + timedelta(minutes=2))
    assert failed(validate_raw(warehouse, [SHOP])) == set()


def test_an_absent_or_empty_table_passes_with_nothing_evaluated(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("drop table raw_shop.customers; delete from raw_shop.tags")
    results = [result for result in validate_raw(warehouse, [SHOP]) if result.subject != "shop.webhooks"]
    assert failed(results) == set()
    assert {result.evaluated for result in results} == {0}


def test_a_new_platform_needs_no_new_suite(warehouse: duckdb.DuckDBPyConnection) -> None:
    newcomer = Platform(
        name="newcomer",
        title="Newcomer",
        documentation="",
        objects=(Object(name="people", key="uid", updated=None, required=("uid",)),),
    )
    warehouse.execute("create schema raw_newcomer; insert into raw_audiences.accounts values ('newcomer', 'main', 'x')")
    warehouse.execute("create table raw_newcomer.people as select * replace ('{}' as payload) from raw_shop.tags")
    assert failed(validate_raw(warehouse, [newcomer])) == {
        ("newcomer.people", "record_id_is_the_payloads"),
        ("newcomer.people", "required_paths_present"),
    }


def test_every_object_of_every_platform_has_a_suite() -> None:
    subjects = {suite.subject for suite in raw.suites(registry.all_platforms())}
    objects = {f"{platform.name}.{obj.name}" for platform in registry.all_platforms() for obj in platform.objects}
    assert objects <= subjects
    assert objects
