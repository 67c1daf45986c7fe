import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DataError

from dlt_sources.platform import Identifier
from orchestration.activation.keys import keyed_hash
from orchestration.activation.speed_lane import Settled, Worker, settle
from orchestration.activation.state import State, withdrawals
from orchestration.home import Home
from orchestration.landing.files import Landing
from tests.activation.places import Calls, add_member, ledger_hashes, ledger_rows, members, owed, wait_until, worker
from tests.landing.senders import (
    klaviyo,
    klaviyo_unsubscribe,
    land,
    make_home,
    publish_catalogue,
    shopify,
    shopify_order,
    shopify_unsubscribe,
    twilio,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def state(home: Home) -> Iterator[State]:
    state = State(home.state)
    yield state
    state.close()


@pytest.fixture
def calls() -> Calls:
    return Calls()


def once(home: Home, state: State, calls: Calls) -> Settled:
    lane = worker(home, state, calls)
    done = lane.settle_once()
    lane.deliver_once()
    lane.close()
    return done


@contextmanager
def running(lane: Worker) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=lane.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_an_opt_out_takes_the_person_out_everywhere_and_is_told_to_the_others(
    home: Home, state: State, calls: Calls
) -> None:
    jane, text, john = (
        add_member(state, "1", "email:jane@b.c", "phone:+15550"),
        add_member(state, "2", "email:jane@b.c", channel="sms"),
        add_member(state, "3", "email:john@b.c"),
    )
    tag = add_member(state, "4", "email:jane@b.c", platform="shopify", audience="vip", status="pending")
    land(home, klaviyo_unsubscribe("Jane@b.c", "1"))
    done = once(home, state, calls)
    assert (done.files, done.requests, done.rows, done.calls) == (1, 1, 1, 3)
    assert members(state) == {jane: "removed", text: "accepted", john: "accepted", tag: "removed"}
    assert sorted(calls.made) == [
        ("klaviyo:main", "remove", "list:lapsed", ("1",)),
        ("shopify:main", "remove", "list:vip", ("4",)),
        ("shopify:main", "suppress", "email", ("Jane@b.c",)),
    ]
    assert Landing(home.landing).count("speed", "settled") == 1


def test_a_person_unknown_to_the_warehouse_is_withdrawn_everywhere(home: Home, state: State, calls: Calls) -> None:
    land(home, twilio("STOP", "+14155550123", "SM1"))
    once(home, state, calls)
    assert sorted(made[:3] for made in calls.made) == [
        ("klaviyo:main", "suppress", "sms"),
        ("shopify:main", "suppress", "sms"),
    ]
    with state.deliveries.connect() as connection:
        held = {(row.platform, row.channel, row.key_hash) for row in connection.execute(select(withdrawals))}
    key = keyed_hash(state.key, "phone:+14155550123")
    assert held == {("klaviyo", "sms", key), ("shopify", "sms", key)}


def test_an_erasure_is_told_on_every_channel(home: Home, state: State, calls: Calls) -> None:
    customer = {"id": 7, "email": "a@b.c", "phone": "+14155550123"}
    land(home, shopify("customers/redact", "1", {"customer": customer}))
    once(home, state, calls)
    assert sorted(calls.made) == [
        ("klaviyo:main", "suppress", "email", ("a@b.c",)),
        ("klaviyo:main", "suppress", "sms", ("+14155550123",)),
        ("twilio:main", "suppress", "sms", ("+14155550123",)),
    ]


def test_leaving_an_audience_withdraws_nothing(home: Home, state: State, calls: Calls) -> None:
    publish_catalogue(home, leave_on=("order_placed",), name="lapsed")
    lapsed = add_member(state, "1", "email:jane@b.c", audience="lapsed")
    vip = add_member(state, "2", "email:jane@b.c", audience="vip")
    land(home, shopify_order("jane@b.c", "1"))
    once(home, state, calls)
    assert members(state) == {lapsed: "removed", vip: "accepted"}
    assert [made[1] for made in calls.made] == ["remove"]


def test_a_bounce_blocks_and_removes_but_is_told_to_nobody(home: Home, state: State, calls: Calls) -> None:
    jane = add_member(state, "1", "email:jane@b.c")
    body = {"customer_id": 1, "email_address": "jane@b.c", "email_marketing_consent": {"state": "invalid"}}
    land(home, shopify("customers_email_marketing_consent/update", "1", body))
    once(home, state, calls)
    assert members(state) == {jane: "removed"}
    assert [made[:2] for made in calls.made] == [("klaviyo:main", "remove")]


def test_a_repeated_delivery_has_one_effect(home: Home, state: State, calls: Calls) -> None:
    add_member(state, "1", "email:jane@b.c")
    stop = klaviyo_unsubscribe("jane@b.c", "1")
    land(home, stop, stop)
    once(home, state, calls)
    before = list(calls.made)
    add_member(state, "9", "email:jane@b.c", audience="new")  # she came back, by her own act, and a build let her in
    land(home, stop)
    once(home, state, calls)
    assert calls.made == before
    assert members(state)["new/klaviyo/9"] == "accepted"
    assert len(ledger_rows(state)) == 1


def test_an_echo_of_our_own_withdrawal_does_not_go_round_and_round(home: Home, state: State, calls: Calls) -> None:
    land(home, klaviyo_unsubscribe("jane@b.c", "1"))
    once(home, state, calls)
    land(home, shopify_unsubscribe("jane@b.c", "1"))
    once(home, state, calls)
    land(home, klaviyo_unsubscribe("jane@b.c", "2"))
    once(home, state, calls)
    assert [made[0] for made in calls.made] == ["shopify:main", "klaviyo:main"]


def test_a_crash_after_the_ledger_owes_the_calls_all_the_same(
    home: Home, state: State, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    jane = add_member(state, "1", "email:jane@b.c")
    land(home, klaviyo_unsubscribe("jane@b.c", "1"))
    lane = worker(home, state, calls)

    def crash(_rows: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lane.owing, "owe", crash)
    with pytest.raises(KeyboardInterrupt):
        lane.settle_once()
    assert len(ledger_rows(state)) == 1
    assert owed(state) == []
    lane.close()
    once(home, state, calls)
    assert members(state) == {jane: "removed"}


def test_a_record_without_an_address_is_looked_up_and_its_person_removed(
    home: Home, state: State, calls: Calls
) -> None:
    elsewhere = add_member(state, "4", "email:jane@b.c", platform="shopify")
    calls.records["01H"] = [Identifier("email", "Jane@b.c")]
    land(home, klaviyo("unsubscribed_from_email_marketing", "1", profile="01H"))
    once(home, state, calls)
    assert members(state) == {elsewhere: "removed"}
    assert calls.of("shopify:main", "suppress") == ["Jane@b.c"]
    assert keyed_hash(state.key, "email:jane@b.c") in ledger_hashes(state)
    assert set(owed(state)) == {"done"}


def test_one_unreadable_request_holds_up_neither_its_file_mates_nor_other_files(
    home: Home, state: State, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlt_sources.platforms.shopify import webhook

    land(home, shopify_unsubscribe("odd@b.c", "1"), klaviyo_unsubscribe("jane@b.c", "1"))
    land(home, klaviyo_unsubscribe("john@b.c", "2"))
    monkeypatch.setattr(webhook, "parse", lambda *_: {}["x"])
    done = once(home, state, calls)
    assert (done.files, done.rows, done.stuck) == (1, 2, 1)
    assert Landing(home.landing).count("speed", "claimed") == 1
    monkeypatch.undo()
    assert once(home, state, calls).stuck == 0
    assert len(ledger_rows(state)) == 3


def test_the_other_lanes_are_settled_without_calls(home: Home, state: State) -> None:
    land(home, klaviyo("subscribed_to_email_marketing", "1", email="jane@b.c"))
    done = settle(home, state, "segmentation")
    assert (done.files, done.rows, done.calls) == (1, 0, 0)
    assert Landing(home.landing).count("segmentation", "settled") == 1


def test_addresses_leave_the_outbox_when_the_call_is_done(home: Home, state: State, calls: Calls) -> None:
    land(home, klaviyo_unsubscribe("jane@b.c", "1"))
    lane = worker(home, state, calls)
    lane.settle_once()
    assert owed(state, "identifier") == ["jane@b.c"]
    lane.deliver_once()
    assert owed(state, "identifier") == [""]


def test_the_running_worker_reacts_at_once_and_stops_at_once(home: Home, state: State, calls: Calls) -> None:
    for number in range(20):
        add_member(state, str(number), f"email:p{number}@b.c")
    with running(worker(home, state, calls)):
        for number in range(20):
            sent = time.monotonic()
            land(home, klaviyo_unsubscribe(f"p{number}@b.c", str(number)))
            wait_until(lambda number=number: str(number) in calls.of("klaviyo:main", "remove"), 5)
            assert time.monotonic() - sent < 2
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 2
    wait_until(lambda: set(members(state).values()) == {"removed"})


def test_two_workers_make_each_call_once(home: Home, state: State, calls: Calls) -> None:
    for number in range(30):
        add_member(state, str(number), f"email:p{number}@b.c")
    second = State(home.state)
    with running(worker(home, state, calls)), running(worker(home, second, calls)):
        for number in range(30):
            land(home, klaviyo_unsubscribe(f"p{number}@b.c", str(number)))
        wait_until(lambda: set(members(state).values()) == {"removed"})
    second.close()
    assert sorted(calls.of("klaviyo:main", "remove"), key=int) == [str(number) for number in range(30)]


def test_a_worker_outlives_a_ledger_that_cannot_be_written(
    home: Home, state: State, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.activation import ledger

    jane = add_member(state, "1", "email:jane@b.c")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with running(worker(home, state, calls)):
        monkeypatch.setattr(ledger, "record", full)
        land(home, klaviyo_unsubscribe("jane@b.c", "1"))
        time.sleep(0.3)
        assert members(state) == {jane: "accepted"}
        monkeypatch.undo()
        wait_until(lambda: members(state) == {jane: "removed"})


def test_a_value_the_store_refuses_holds_up_its_own_file_alone(
    home: Home, state: State, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.activation import ledger

    real = ledger.record

    def record(store: State, rows: Sequence[ledger.LedgerRow]) -> list[ledger.LedgerRow]:
        if any("odd@b.c" in {one.value for one in row.identifiers} for row in rows):
            raise DataError("insert", {}, ValueError("too long"))
        return real(store, rows)

    monkeypatch.setattr(ledger, "record", record)
    for number, email in enumerate(["a@b.c", "odd@b.c", "c@b.c"]):
        land(home, klaviyo_unsubscribe(email, str(number)))
    done = once(home, state, calls)
    assert (done.files, done.rows, done.stuck) == (2, 2, 1)


def test_a_hanging_destination_does_not_keep_the_worker_from_ending(home: Home, state: State) -> None:
    script = (
        "import sys, threading; from pathlib import Path; from orchestration.activation.state import State;"
        "from orchestration.home import Home; from tests.activation.places import Calls, worker;"
        "home = Home(Path(sys.argv[1])); calls = Calls();"
        "calls.trouble['shopify:main', 'suppress'] = lambda _what: threading.Event().wait(120);"
        "worker(home, State(home.state), calls).run(threading.Event(), 1.0)"
    )
    land(home, klaviyo_unsubscribe("jane@b.c", "1"))
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", script, str(home.folder)], check=True, timeout=60, cwd=Path.cwd())
    assert time.monotonic() - started < 20
    assert owed(state) == ["due"]
