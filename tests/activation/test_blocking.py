"""Blocks by hand: they hold at once, one path for all stops, and only they can be lifted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select

from dlt_sources.platform import Identifier
from orchestration.activation import blocking
from orchestration.activation.blocking import Blocked, identified, lift
from orchestration.activation.gate import Gate, GateRow
from orchestration.activation.keys import keyed_hash
from orchestration.activation.speed_lane import settle
from orchestration.activation.state import State, lifts
from orchestration.home import Home
from orchestration.landing.by_hand import Act, Order
from orchestration.landing.files import Landing, read
from orchestration.landing.loading import payload
from tests.activation.places import Calls, add_member, ledger_rows, members, owed, worker
from tests.landing.senders import klaviyo_unsubscribe, land, make_home

JANE, JOHN, PHONE = (
    Identifier("email", "jane@b.c"),
    Identifier("email", "john@b.c"),
    Identifier("phone", "+14155550123"),
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


def order(act: Act = "suppress", channel: str = "*", topic: str = "*") -> Order:
    return Order(act=act, channel=channel, topic=topic, actor="ops", reason="asked by phone", at=datetime.now(UTC))


def suppress(home: Home, state: State, calls: Calls, *identifiers: Identifier, **scope: str) -> Blocked:
    lane = worker(home, state, calls)
    try:
        return blocking.suppress(lane, order(**scope), identifiers)
    finally:
        lane.close()


def row(state: State, key: str, channel: str = "email", topic: str = "news") -> GateRow:
    return GateRow(
        row_id="r", channel=channel, topic=topic, audience="a", brand="acme", key_hashes=[keyed_hash(state.key, key)]
    )


def test_a_blocked_person_leaves_every_destination_and_is_withdrawn_at_each(
    home: Home, state: State, calls: Calls
) -> None:
    jane = add_member(state, "1", "email:jane@b.c", "phone:+15550")
    text = add_member(state, "2", "email:jane@b.c", channel="sms")
    john = add_member(state, "3", "email:john@b.c")
    blocked = suppress(home, state, calls, JANE)
    assert blocked == Blocked(identifiers=1, calls={"remove": {"done": 2}, "suppress": {"done": 2}})
    assert members(state) == {jane: "removed", text: "removed", john: "accepted"}
    assert sorted(made[:2] for made in calls.made) == [
        ("klaviyo:main", "remove"), ("klaviyo:main", "remove"), ("klaviyo:main", "suppress"),
        ("shopify:main", "suppress"),
    ]  # fmt: skip


def test_the_gate_and_the_ledger_know_a_block_when_the_command_returns(home: Home, state: State, calls: Calls) -> None:
    suppress(home, state, calls, JANE)
    [kept] = ledger_rows(state)
    assert (kept["kind"], kept["channel"], kept["actor"], kept["reason"], kept["absorbed_build"]) == (
        "manual_block", "*", "ops", "asked by phone", None,
    )  # fmt: skip
    assert Gate.of(home, state).blocked([row(state, "email:jane@b.c")], 99) == {"r": "manual_block"}
    assert Gate.of(home, state).blocked([row(state, "email:john@b.c")], 99) == {}


def test_a_block_of_one_channel_or_topic_leaves_the_others_alone(home: Home, state: State, calls: Calls) -> None:
    mail = add_member(state, "1", "email:jane@b.c", topic="news")
    offers = add_member(state, "2", "email:jane@b.c", topic="offers", audience="offers")
    text = add_member(state, "3", "email:jane@b.c", channel="sms", audience="texts")
    blocked = suppress(home, state, calls, JANE, channel="email", topic="news")
    assert members(state) == {mail: "removed", offers: "accepted", text: "accepted"}
    assert "suppress" not in blocked.calls, "a place that knows no topics must not be told to stop everything"


def test_a_long_list_lands_in_parts_that_other_opt_outs_need_not_wait_for(
    home: Home, state: State, calls: Calls
) -> None:
    many = [Identifier("phone", f"+1415555{number:04d}") for number in range(1_200)]
    told: list[int] = []
    lane = worker(home, state, calls)
    blocking.suppress(lane, order(channel="sms"), many, seconds=0, progress=told.append)
    lane.close()
    assert told == [500, 1_000, 1_200]
    assert len(ledger_rows(state)) == 1_200
    assert Landing(home.landing).count("speed", "settled") == 3


def test_what_people_asked_for_is_called_before_what_was_blocked_by_hand(
    home: Home, state: State, calls: Calls
) -> None:
    lane = worker(home, state, calls)
    blocking.suppress(lane, order(), [JOHN], seconds=0)
    land(home, klaviyo_unsubscribe("jane@b.c", "1"))
    lane.settle_once()
    lane.deliver_once()
    lane.close()
    assert calls.of("shopify:main", "suppress") == ["jane@b.c", "john@b.c"]


def test_a_block_is_a_document_that_the_warehouse_can_read(home: Home, state: State, calls: Calls) -> None:
    suppress(home, state, calls, JANE, PHONE)
    [path] = Landing(home.landing).waiting("speed", "settled")
    [landed] = list(read(path))
    assert (landed.platform, landed.account, landed.topic) == ("audiences", "hand", "suppress")
    assert '"identifier":"+14155550123","identifier_type":"phone"' in payload(landed)


def test_a_lift_waits_for_the_build_and_leaves_the_gate_shut_until_then(home: Home, state: State, calls: Calls) -> None:
    suppress(home, state, calls, JANE)
    lifted = lift(home, state, order("lift"), [JANE, JOHN])
    assert (lifted.identifiers, lifted.without_block) == (1, 1)
    assert Landing(home.landing).count("segmentation", "ready") == 1
    assert Gate.of(home, state).blocked([row(state, "email:jane@b.c")], 99) == {"r": "manual_block"}
    with state.ledger.connect() as connection:
        [kept] = connection.execute(select(lifts)).all()
    assert (kept.actor, kept.reason, kept.key_hash) == (
        "ops",
        "asked by phone",
        keyed_hash(state.key, "email:jane@b.c"),
    )
    assert len(ledger_rows(state)) == 1, "nothing is ever taken out of the ledger"


def test_a_lift_settles_without_forbidding_anything(home: Home, state: State, calls: Calls) -> None:
    suppress(home, state, calls, JANE)
    lift(home, state, order("lift"), [JANE])
    assert settle(home, state, "segmentation").rows == 0
    assert len(ledger_rows(state)) == 1


def test_a_person_s_own_opt_out_is_not_lifted_and_said(home: Home, state: State, calls: Calls) -> None:
    land(home, klaviyo_unsubscribe("jane@b.c", "1"))
    suppress(home, state, calls, JANE)
    lifted = lift(home, state, order("lift"), [JANE])
    assert lifted.waiting == {"withdrawn": 1}
    land(home, klaviyo_unsubscribe("john@b.c", "2"))
    suppress(home, state, calls, PHONE)
    assert lift(home, state, order("lift"), [JOHN]).identifiers == 0


def test_a_narrower_lift_leaves_a_wider_block(home: Home, state: State, calls: Calls) -> None:
    suppress(home, state, calls, JANE)
    assert lift(home, state, order("lift", channel="email"), [JANE]).identifiers == 0
    suppress(home, state, calls, JOHN, channel="email")
    assert lift(home, state, order("lift", channel="email"), [JOHN]).identifiers == 1


def test_what_was_lifted_once_has_no_block_to_lift(home: Home, state: State, calls: Calls) -> None:
    suppress(home, state, calls, JANE)
    assert lift(home, state, order("lift"), [JANE]).identifiers == 1
    assert lift(home, state, order("lift"), [JANE]).identifiers == 0
    suppress(home, state, calls, JANE)
    assert lift(home, state, order("lift"), [JANE]).identifiers == 1


def test_withdrawals_that_a_lifted_block_still_owed_are_not_written(home: Home, state: State, calls: Calls) -> None:
    jane = add_member(state, "1", "email:jane@b.c")
    lane = worker(home, state, calls)
    blocking.suppress(lane, order(), [JANE], seconds=0)
    lifted = lift(home, state, order("lift"), [JANE])
    assert lifted.withdrawn_calls == 2
    assert sorted(owed(state)) == ["due", "lifted", "lifted"]
    assert set(owed(state, "identifier")) == {""}
    lane.deliver_once()
    lane.close()
    assert {operation for _, operation, *_ in calls.made} == {"remove"}
    assert members(state) == {jane: "removed"}


def test_what_a_block_wrote_is_noted_for_the_next_build_and_what_people_said_is_not(
    home: Home, state: State, calls: Calls
) -> None:
    land(home, klaviyo_unsubscribe("john@b.c", "1"))
    suppress(home, state, calls, JANE)
    noted = [landed for path in Landing(home.landing).waiting("care", "ready") for landed in read(path)]
    assert {landed.topic for landed in noted} == {"written"}
    told = sorted(
        (one["platform"], one["identifier"]) for landed in noted for one in orjson.loads(landed.body)["items"]
    )
    assert told == [("klaviyo", "jane@b.c"), ("shopify", "jane@b.c")]
    assert settle(home, state, "care").rows == 0


def test_a_block_set_after_a_lift_stands(home: Home, state: State, calls: Calls) -> None:
    suppress(home, state, calls, JANE)
    earlier = Order(
        act="lift", channel="*", topic="*", actor="ops", reason="late", at=datetime.now(UTC) - timedelta(hours=1)
    )
    assert lift(home, state, earlier, [JANE]).identifiers == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" Jane@B.c ", JANE),
        ("+1 (415) 555-0123", PHONE),
        ("4155550123", None),
        ("jane@", None),
        ("jane", None),
    ],
)
def test_an_entry_is_an_address_or_a_number_with_its_country(text: str, found: Identifier | None) -> None:
    assert identified(text) == found
