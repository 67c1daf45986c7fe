"""A small warehouse that meets every expectation, for tests to break one thing at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from dlt_sources.platform import Object, Platform, Topic
from expectations.evaluation import CheckResult

JANE = "jane.doe@example.com"
PULLED_AT = datetime(2026, 11, 22, 6, tzinfo=UTC)
QUESTION = "email|marketing|*|*|none|default"

SHOP = Platform(
    name="shop",
    title="Shop",
    documentation="https://shop.example",
    objects=(
        Object(name="customers", key="id", updated="updated_at", required=("id", "attributes.email")),
        Object(name="tags", key="data.slug", updated=None),
    ),
    topics=(Topic(topic="customers/update", event="customer_updated", lane="segmentation"),),
)
AUDIENCE = {
    "name": "lapsed",
    "channel": "email",
    "purpose": "marketing",
    "question_id": QUESTION,
    "destinations": [{"platform": "shop", "account": "main", "traits": {"Orders": "orders", "Last order": "last_at"}}],
}

_SIX = (
    "account varchar, record_id varchar, updated_at timestamptz, extracted_at timestamptz, payload json, "
    "payload_hash varchar"
)
_RAW = f"""
    create schema raw_audiences;
    create table raw_audiences.builds
        (build_id bigint, as_of timestamptz, known_at timestamptz, started_at timestamptz);
    create table raw_audiences.accounts (platform varchar, account varchar, brand varchar);
    insert into raw_audiences.accounts values ('shop', 'main', 'acme');
    create schema raw_shop;
    create table raw_shop.customers ({_SIX});
    create table raw_shop.tags ({_SIX});
    create table raw_shop.webhooks ({_SIX}, landing_id varchar, topic varchar, lane varchar, received_at timestamptz);
"""
_AUDIENCES = f"""
    create schema marts;
    create table marts.clock as select 7::bigint as build_id, timestamptz '2026-11-22 06:00:00+00' as as_of;
    create table marts.decisions (person_id varchar, identifier_type varchar, identifier varchar, question_id varchar,
        eligible boolean, reason_codes varchar[]);
    insert into marts.decisions values
        ('p_0000000000000001', 'email', '{JANE}', '{QUESTION}', true, ['ok']),
        ('p_0000000000000002', 'email', 'sam@example.com', '{QUESTION}', true, ['ok']),
        ('p_0000000000000003', 'email', 'lee@example.com', '{QUESTION}', false, ['withdrawn']);
    create table marts.withdrawals (identifier_type varchar, identifier varchar, channel varchar, reason varchar);
    insert into marts.withdrawals values ('email', 'lee@example.com', 'email', 'withdrawn');
    create schema audiences;
    create table audiences.lapsed as
        select 'lapsed' as audience, person_id, identifier_type, identifier, question_id, 3 as orders,
            date '2025-05-05' as last_at, as_of, build_id
        from marts.decisions, marts.clock where eligible;
"""


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An open warehouse with one sound load and one sound audience."""
    connection = duckdb.connect(str(tmp_path / "warehouse.duckdb"))
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(_RAW)
    connection.execute(_AUDIENCES)
    for number in range(3):
        land(connection, "customers", str(number), f'{{"id": {number}, "attributes": {{"email": "{JANE}"}}}}')
    land(connection, "tags", "vip", '{"data": {"slug": "vip"}}')
    land(connection, "webhooks", "d1", '{"id": 1}', "'l1', 'customers/update', 'segmentation', now()")
    yield connection
    connection.close()


def land(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    record_id: str,
    payload: str,
    more: str = "",
    at: datetime = PULLED_AT,
) -> None:
    """Append one raw row as a pull or the landing zone would."""
    digest = sha256(payload.encode()).hexdigest()
    connection.execute(
        f"insert into raw_shop.{table} values ('main', ?, ?, ?, ?, ?{', ' + more if more else ''})",
        [record_id, at, at, payload, digest],
    )


def begin_build(connection: duckdb.DuckDBPyConnection, build_id: int, known_at: datetime) -> None:
    """Write the row of a build."""
    connection.execute("insert into raw_audiences.builds values (?, ?, ?, ?)", [build_id, known_at, known_at, known_at])


def failed(results: list[CheckResult]) -> set[tuple[str, str]]:
    """Subject and name of every check that failed."""
    return {(result.subject, result.check_name) for result in results if not result.success}


def the(results: list[CheckResult], subject: str, check_name: str) -> CheckResult:
    """The one result of that subject and name."""
    (found,) = [result for result in results if (result.subject, result.check_name) == (subject, check_name)]
    return found
