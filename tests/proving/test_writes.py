"""What we wrote to platforms is on record before the call, and each build knows it of those whom it concerns."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from orchestration.activation.keys import keyed_hash
from orchestration.activation.migrations import upgrade
from orchestration.activation.state import State, withdrawals
from orchestration.activation.state import writes as writes_table
from orchestration.home import Home
from orchestration.proving import writes
from tests.activation.places import Calls, wait_until, worker
from tests.activation.shop import Shop
from tests.landing.senders import klaviyo_unsubscribe, land, make_home

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def note(state: State, email: str, at: datetime = AT) -> None:
    about = {"platform": "mailer", "account": "main", "channel": "email", "written_at": at}
    with state.write_deliveries() as store:
        store.execute(insert(writes_table).values(key_hash=keyed_hash(state.key, f"email:{email}"), **about))


def noted(state: State) -> list[tuple[str, str]]:
    with state.deliveries.connect() as store:
        return [(row.platform, row.key_hash) for row in store.execute(select(writes_table))]


def deciding(connection: Any, withdrawn: Sequence[str], told: Sequence[tuple[str, str]] = ()) -> None:
    """The tables of a build that knows these withdrawals; `told` are (spelling, address) beside them."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS intermediate")
    for name, columns in (
        ("consent_events", "identifier_type VARCHAR, identifier VARCHAR, state VARCHAR"),
        ("suppressions", "identifier_type VARCHAR, identifier VARCHAR"),
        ("identifier_keys", "identifier_type VARCHAR, told VARCHAR, target_key VARCHAR"),
    ):
        connection.execute(f"CREATE OR REPLACE TABLE intermediate.{name} ({columns})")
    for email in withdrawn:
        connection.execute("INSERT INTO intermediate.consent_events VALUES ('email', ?, 'withdrawn')", [email])
    for spelling, email in told:
        connection.execute("INSERT INTO intermediate.identifier_keys VALUES ('email', ?, ?)", [spelling, email])


def rows(connection: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(
        "SELECT platform, account, channel, identifier, written_at AT TIME ZONE 'UTC' FROM raw_audiences.writes "
        "ORDER BY written_at, identifier"
    ).fetchall()
    return found


def test_each_write_comes_in_once_and_is_named_when_a_build_knows_why(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    about, at = ("mailer", "main", "email"), AT.replace(tzinfo=None)
    with shop.open() as connection:
        note(shop.state, "p1@example.com")
        note(shop.state, "p2@example.com")
        assert writes.record(connection, shop.state) == 2
        assert rows(connection) == [(*about, None, at)] * 2, "no build knows anybody yet"
        deciding(connection, ["p1@example.com"])
        note(shop.state, "p1@example.com", AT + timedelta(days=1))
        assert writes.record(connection, shop.state) == 1
        day_after = at + timedelta(days=1)
        assert [one for one in rows(connection) if one[3]] == [
            (*about, "p1@example.com", at), (*about, "p1@example.com", day_after),
        ]  # fmt: skip
        deciding(connection, ["p1@example.com", "p2@example.com"])
        assert writes.record(connection, shop.state) == 0
        assert {one[3] for one in rows(connection)} == {"p1@example.com", "p2@example.com"}


def test_a_write_under_another_spelling_is_named_as_the_models_name_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.open() as connection:
        deciding(connection, ["jane@xn--exmple-cua.com"], [("jane@exämple.com", "jane@xn--exmple-cua.com")])
        note(shop.state, "jane@exämple.com")
        writes.record(connection, shop.state)
        assert [one[3] for one in rows(connection)] == ["jane@xn--exmple-cua.com"]


def test_who_neither_withdrew_nor_is_suppressed_is_not_named(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with shop.open() as connection:
        deciding(connection, [], [("p1@example.com", "p1@example.com")])
        connection.execute("INSERT INTO intermediate.consent_events VALUES ('email', 'p1@example.com', 'granted')")
        note(shop.state, "p1@example.com")
        writes.record(connection, shop.state)
        assert [one[3] for one in rows(connection)] == [None]


def test_a_planned_withdrawal_is_on_record_before_its_call_even_if_nothing_comes_back(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.audience()
    shop.build({"buyers": []}, withdrawals=[1])
    shop.plan()
    shop.mailer.next = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        shop.apply()
    assert noted(shop.state) == [("mailer", keyed_hash(shop.state.key, "email:p1@example.com"))]
    with shop.state.deliveries.connect() as store:
        assert store.execute(select(withdrawals)).all() == []
    shop.apply()
    assert len(noted(shop.state)) == 2, "each call may be the one that the platform dates its block by"


def test_the_speed_lane_s_withdrawal_is_on_record_before_its_call(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    state, calls = State(home.state), Calls()
    found: list[list[tuple[str, str]]] = []
    calls.trouble["shopify:main", "suppress"] = lambda _what: found.append(noted(state))
    land(home, klaviyo_unsubscribe("jane@b.c", "1"))
    lane = worker(home, state, calls)
    deliver(lane, calls)
    assert [("shopify", keyed_hash(state.key, "email:jane@b.c")) in one for one in found] == [True]
    state.close()


def deliver(lane: Any, calls: Calls) -> None:
    """Let the worker run until it has made the call."""
    stop = threading.Event()
    thread = threading.Thread(target=lane.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: bool(calls.of("shopify:main", "suppress")))
    finally:
        stop.set()
        thread.join(timeout=20)


def test_what_was_accepted_before_writes_were_noted_is_a_write(tmp_path: Path) -> None:
    state = State(Home(tmp_path).state)
    with state.write_deliveries() as store:
        about = {"platform": "klaviyo", "account": "main", "channel": "email", "accepted_at": AT}
        store.execute(insert(withdrawals).values(key_hash="k", **about))
        store.execute(delete(writes_table))
        store.exec_driver_sql("DROP TABLE writes")
        store.exec_driver_sql("UPDATE alembic_version SET version_num = '0004'")
    upgrade("deliveries", state.deliveries, state.folder)
    with state.deliveries.connect() as store:
        [one] = store.execute(select(writes_table)).all()
    assert (one.platform, one.account, one.channel, one.key_hash, one.written_at) == (
        "klaviyo", "main", "email", "k", AT,
    )  # fmt: skip
    state.close()
