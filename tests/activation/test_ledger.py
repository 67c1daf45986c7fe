from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.activation.keys import keyed_hash
from orchestration.activation.ledger import LedgerRow, absorb, record, resolve, stored_row
from orchestration.activation.state import State
from orchestration.home import Home
from tests.activation.places import ledger_hashes, ledger_rows, reader
from tests.landing.senders import (
    Request,
    klaviyo,
    klaviyo_unsubscribe,
    landed_of,
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


def rows_of(home: Home, state: State, *requests: Request) -> list[LedgerRow]:
    return [row for one in requests for row in reader(home, state).rows(landed_of(one))]


@pytest.mark.parametrize(
    ("request_", "kind", "channel", "key"),
    [
        (twilio("STOP", "+1 (415) 555-0123", "SM1"), "withdrawn", "sms", "phone:+14155550123"),
        (klaviyo_unsubscribe(" Jane@Example.com ", "1"), "withdrawn", "email", "email:jane@example.com"),
        (klaviyo("marked_email_as_spam", "1", email="a@b.c"), "spam_complaint", "email", "email:a@b.c"),
        (shopify_unsubscribe("a@b.c", "1", customer=42), "withdrawn", "email", "record:shopify:main:42"),
        (shopify("customers/redact", "1", {"customer": {"id": 42, "email": "a@b.c"}}), "erased", "*", "email:a@b.c"),
    ],
    ids=["stop", "unsubscribe", "complaint", "record", "erasure"],
)
def test_an_opt_out_becomes_a_row_with_wide_hashed_keys(
    home: Home, state: State, request_: Request, kind: str, channel: str, key: str
) -> None:
    [row] = rows_of(home, state, request_)
    assert (row.kind, row.channel, row.topic, row.audience, row.unresolved) == (kind, channel, "*", "*", False)
    assert keyed_hash(state.key, key) in row.key_hashes


@pytest.mark.parametrize(
    "request_",
    [
        twilio("START", "+14155550123", "SM1"),
        klaviyo("subscribed_to_email_marketing", "1", email="a@b.c"),
        shopify_order("a@b.c", "1"),
        shopify("nobody/knows", "1", {"id": 1}),
    ],
    ids=["start", "subscribe", "order", "unknown"],
)
def test_what_forbids_nothing_writes_nothing(home: Home, state: State, request_: Request) -> None:
    assert rows_of(home, state, request_) == []


def test_a_repeat_has_one_effect(home: Home, state: State) -> None:
    stop = klaviyo_unsubscribe("a@b.c", "1")
    assert len(record(state, rows_of(home, state, stop, stop))) == 1
    assert record(state, rows_of(home, state, stop)) == []
    assert len(ledger_rows(state)) == 1


def test_the_same_landing_is_given_out_again_after_a_crash(home: Home, state: State) -> None:
    rows = rows_of(home, state, klaviyo_unsubscribe("a@b.c", "1"))
    assert record(state, rows) == record(state, rows) == rows


def test_an_event_that_an_audience_leaves_on_blocks_that_audience_alone(home: Home, state: State) -> None:
    publish_catalogue(home, leave_on=("order_placed",), name="lapsed")
    [row] = rows_of(home, state, shopify_order("a@b.c", "1"))
    assert (row.kind, row.audience, row.channel) == ("left", "lapsed", "email")
    assert row.covers(channel="email", topic="news", audience="lapsed", brand="acme")
    assert not row.covers(channel="email", topic="news", audience="other", brand="acme")


def test_texts_cover_picture_messages_and_not_email(home: Home, state: State) -> None:
    [row] = rows_of(home, state, twilio("STOP", "+14155550123", "SM1"))
    covered = [row.covers(channel=one, topic="t", audience="a", brand="b") for one in ("sms", "mms", "email")]
    assert covered == [True, True, False]


def test_an_opt_out_that_names_only_a_record_is_unresolved_until_its_keys_are_known(home: Home, state: State) -> None:
    [row] = record(state, rows_of(home, state, klaviyo("unsubscribed_from_email_marketing", "1", profile="01H")))
    assert row.unresolved
    key = keyed_hash(state.key, "email:a@b.c")
    resolve(state, row.ledger_id, [key])
    stored = stored_row(state, row.ledger_id)
    assert stored is not None
    assert not stored.unresolved
    assert set(stored.key_hashes) == {key, keyed_hash(state.key, "record:klaviyo:main:01H")}


def test_absorbing_marks_each_row_once(home: Home, state: State) -> None:
    rows = rows_of(home, state, klaviyo_unsubscribe("a@b.c", "1"), klaviyo_unsubscribe("d@b.c", "2"))
    record(state, rows)
    assert absorb(state, 3, [rows[0].landing_id, "unheard-of"]) == 1
    assert absorb(state, 4, [row.landing_id for row in rows]) == 1
    assert sorted(str(row["absorbed_build"]) for row in ledger_rows(state)) == ["3", "4"]


def test_nothing_that_is_stored_names_a_person(home: Home, state: State) -> None:
    record(state, rows_of(home, state, twilio("STOP", "+14155550123", "SM1"), klaviyo_unsubscribe("jane@b.c", "1")))
    text = repr(ledger_rows(state)) + repr(ledger_hashes(state))
    assert "jane" not in text
    assert "4155550123" not in text
