"""Plan: everybody desired against everybody accepted, one in a hundred of them different, against one full join.

The reference reads both sides from the stores they lie in and joins them once. BENCH_MEMBERS (default 1,000,000) sets
the size of each side.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from orchestration.activation import accepted
from tests.activation.shop import NONE, Shop
from tests.benchmarks.figures import Figure, figure

MEMBERS = int(os.environ.get("BENCH_MEMBERS", "1000000"))
_AUDIENCE = """
    CREATE OR REPLACE TABLE audiences.buyers AS
    SELECT 'buyers' AS audience, 'p' || n AS person_id,
        'email' AS identifier_type, 'p' || n || '@example.com' AS identifier, $question AS question_id,
        (n % 500)::INTEGER AS spent, now() AS as_of, $build::BIGINT AS build_id
    FROM range($first, $last) AS people (n);
"""
_MARTS = """
    INSERT INTO marts.destination_records
    SELECT 'mailer', 'main', 'acme', 'r' || n, 'p' || n, 'p' || n || '@example.com', '+1415' || lpad(n::VARCHAR, 8, '0')
    FROM range(1000, $last) AS people (n);
    INSERT INTO marts.person_suppression_keys
    SELECT 'p' || n, [
        'email:p' || n || '@example.com', 'phone:+1415' || lpad(n::VARCHAR, 8, '0'), 'record:mailer:main:r' || n
    ]
    FROM range(1000, $last) AS people (n);
    INSERT INTO marts.decisions
    SELECT 'p' || n, 'email', 'p' || n || '@example.com', $question, true, true, ['ok'], [], 'r1', as_of, known_at, NULL
    FROM range(1000, $last) AS people (n), marts.clock;
"""
_JOIN = """
    SELECT count(*) FROM audiences.buyers AS desired
    JOIN marts.destination_records AS records
        ON records.person_id = desired.person_id AND records.email = desired.identifier
    JOIN marts.decisions AS decisions ON decisions.person_id = desired.person_id AND decisions.eligible
    JOIN marts.person_suppression_keys AS keys ON keys.person_id = desired.person_id
    FULL JOIN members ON members.record_id = records.record_id
    WHERE members.record_id IS NULL OR records.record_id IS NULL
        OR members.payload_hash <> md5(desired.spent::VARCHAR || array_to_string(keys.suppression_keys, ' '))
"""


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        shop.audience(traits={"spent": "spent"})
        _fill(shop)
        began = time.perf_counter()
        planned = shop.plan(dry_run=True)["buyers"]
        ours = time.perf_counter() - began
        assert planned.adds == planned.removes == MEMBERS // 100, planned
        began = time.perf_counter()
        with shop.open() as connection:
            connection.register("members", accepted.members(shop.state))
            connection.execute(_JOIN).fetchone()
        yield figure(f"plan {MEMBERS:,} against {MEMBERS:,}", ours, "s", time.perf_counter() - began)


def _fill(shop: Shop) -> None:
    """Numbers 1000 to 1000 + MEMBERS are members; the desired are the same, shifted by one in a hundred."""
    shop.build({"buyers": [0]}, people=[0])
    last = 1000 + MEMBERS + MEMBERS // 100
    with shop.open() as connection:
        about = {"question": NONE.id, "last": last}
        for statement in _MARTS.strip().split(";")[:-1]:
            connection.execute(statement, {name: about[name] for name in about if f"${name}" in statement})
        _desire(connection, shop, 1000, 1000 + MEMBERS)
    shop.plan()  # what is accepted must bear the fingerprints of a real plan
    _accept(shop)
    with shop.open() as connection:
        _desire(connection, shop, 1000 + MEMBERS // 100, last)


def _desire(connection: duckdb.DuckDBPyConnection, shop: Shop, first: int, last: int) -> None:
    about = {"question": NONE.id, "build": shop.build_id, "first": first, "last": last}
    connection.execute(_AUDIENCE, about)


def _accept(shop: Shop) -> None:
    """Book every planned addition as accepted, without the calls."""
    [file] = [file for file in shop.home.plans.rglob("*.parquet") if "buyers" in file.name]
    rows = duckdb.execute(
        "SELECT row_id, audience, platform, account, target, record_id, person_id, brand, channel, topic, payload_hash "
        "FROM read_parquet(?)",
        [str(file)],
    )
    names = (
        "membership_id, audience, platform, account, target, record_id, person_id, brand, channel, topic, payload_hash"
    )
    insert = (
        f"INSERT INTO memberships ({names}, status, reason, build_id, changed_at) "
        f"VALUES ({', '.join('?' * 11)}, 'accepted', '', 1, '2026-01-01 00:00:00')"
    )
    with sqlite3.connect(shop.home.state / "deliveries.db") as store:
        while some := rows.fetchmany(100_000):
            store.executemany(insert, some)
    store.close()
