"""What waits until a person decides: a stop holds at once, no stop ends the hold, and who decided why is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Identifier
from orchestration import warehouse
from orchestration.activation import blocking
from orchestration.activation.gate import Gate, GateRow
from orchestration.activation.keys import keyed_hash
from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import State
from orchestration.activation.state import reviews as kept_reviews
from orchestration.home import Home
from orchestration.inputs import reviews
from orchestration.inputs.reviews import Decided, Verdict
from orchestration.landing.by_hand import Order
from tests.activation.places import Calls, add_member, ledger_rows, members, worker
from tests.inputs.published import NOW, held, person, publish, record
from tests.landing.senders import make_home

TEXT, NUMBER = "twilio:main:message:SM1", "+14155550123"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    publish(home, held(TEXT, NUMBER), person("p_1", NUMBER, "jane@b.c"))
    return home


@pytest.fixture
def state(home: Home) -> Iterator[State]:
    state = State(home.state)
    yield state
    state.close()


@pytest.fixture
def calls() -> Calls:
    return Calls()


def decide(
    home: Home, state: State, calls: Calls, verdict: Verdict, held_id: str = TEXT, reason: str = "read"
) -> Decided:
    speed: Callable[[], Worker] = lambda: worker(home, state, calls)  # noqa: E731
    return reviews.decide(home, state, speed, held_id, verdict, actor="sam", reason=reason)


def verdicts(state: State) -> list[tuple[str, str, str, str, str]]:
    with state.ledger.connect() as connection:
        rows = connection.execute(select(kept_reviews).order_by(kept_reviews.c.recorded_at)).all()
    return [(row.reviewed_id, row.verdict, row.key_hash, row.actor, row.reason) for row in rows]


def blocked(home: Home, state: State, key: str, channel: str) -> bool:
    row = GateRow(
        row_id="r", channel=channel, topic="news", audience="a", brand="acme", key_hashes=[keyed_hash(state.key, key)]
    )
    return bool(Gate.of(home, state).blocked([row], 99))


def test_a_stop_holds_when_the_verdict_is_given_and_on_its_channel_alone(
    home: Home, state: State, calls: Calls
) -> None:
    texts = add_member(state, "1", f"phone:{NUMBER}", channel="sms")
    mail = add_member(state, "2", "email:jane@b.c", channel="email")
    done = decide(home, state, calls, "stop")
    assert done.blocked is not None
    assert (done.is_repeat, done.blocked.identifiers) == (False, 1)
    assert members(state) == {texts: "removed", mail: "accepted"}
    assert blocked(home, state, f"phone:{NUMBER}", "sms")
    assert not blocked(home, state, "email:jane@b.c", "email")
    [row] = ledger_rows(state)
    assert (row["kind"], row["channel"], row["actor"], row["absorbed_build"]) == ("withdrawn", "sms", "sam", None)
    assert {operation for _, operation, *_ in calls.made} == {"remove", "suppress"}, "it is withdrawn everywhere"


def test_no_stop_forbids_nothing_and_leaves_the_queue(home: Home, state: State, calls: Calls) -> None:
    assert [one.id for one in reviews.waiting(home, state)] == [TEXT]
    decide(home, state, calls, "no_stop")
    assert ledger_rows(state) == []
    assert reviews.waiting(home, state) == []


def test_who_decided_and_why_is_kept_without_the_identifier(home: Home, state: State, calls: Calls) -> None:
    decide(home, state, calls, "no_stop", reason="she wants the deals")
    decide(home, state, calls, "no_stop", reason="again")
    key = keyed_hash(state.key, f"phone:{NUMBER}")
    assert verdicts(state) == [(TEXT, "no_stop", key, "sam", "she wants the deals")]


def test_a_stop_may_follow_but_is_never_taken_back(home: Home, state: State, calls: Calls) -> None:
    decide(home, state, calls, "no_stop")
    decide(home, state, calls, "stop")
    with pytest.raises(ConfigurationError, match="only a later consent"):
        decide(home, state, calls, "no_stop")
    assert [verdict for _, verdict, *_ in verdicts(state)] == ["no_stop", "stop"]


def test_a_stop_that_names_no_channel_holds_for_all_of_the_person(home: Home, state: State, calls: Calls) -> None:
    publish(
        home,
        held("zendesk:main:ticket:1", "jane@b.c", said_on=None),
        held("zendesk:main:ticket:2", None, said_on=None, record_id="42"),
        person("p_1", NUMBER, "jane@b.c"),
        person("p_2", "jo@b.c"),
        record("p_2", "twilio", "42"),
    )
    decide(home, state, calls, "stop", "zendesk:main:ticket:1")
    assert blocked(home, state, f"phone:{NUMBER}", "sms")
    assert blocked(home, state, "email:jane@b.c", "email")
    decide(home, state, calls, "stop", "zendesk:main:ticket:2")
    assert blocked(home, state, "email:jo@b.c", "email"), "a record stands for whoever has it"


def test_a_lift_of_blocks_does_not_touch_what_was_read_as_a_stop(home: Home, state: State, calls: Calls) -> None:
    decide(home, state, calls, "stop")
    order = Order(act="lift", channel="*", topic="*", actor="al", reason="a mistake", at=NOW.replace(year=2100))
    assert blocking.lift(home, state, order, [Identifier("phone", NUMBER)]).identifiers == 0


def test_a_crash_between_verdict_and_block_is_mended_by_deciding_again(
    home: Home, state: State, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(blocking, "suppress", crash)
        with pytest.raises(KeyboardInterrupt):
            decide(home, state, calls, "stop")
    assert len(verdicts(state)) == 1, "the verdict comes first, so that no build knows the landing without it"
    assert decide(home, state, calls, "stop").is_repeat
    assert len(verdicts(state)) == 1
    assert blocked(home, state, f"phone:{NUMBER}", "sms")


def test_identifiers_are_masked_in_the_words_too_unless_asked_for(home: Home, state: State) -> None:
    publish(home, held(TEXT, NUMBER, words="stop calling me at 415-555-0123 or jane.roe@b.c"))
    [masked] = reviews.waiting(home, state)
    assert masked.identifier == "+14***23"
    assert masked.words == "stop calling me at 415***23 or j***@b.c"
    [shown] = reviews.waiting(home, state, show=True)
    assert (shown.identifier, shown.words) == (NUMBER, "stop calling me at 415-555-0123 or jane.roe@b.c")


def test_only_what_is_held_still_waits_and_unread_values_are_counted(home: Home, state: State) -> None:
    unread = "INSERT INTO intermediate.consent_events VALUES (?, 'klaviyo', 'main', 'email', ?, ?, now())"
    value = '{"value": "PAUSED", "detail": ""}'
    publish(
        home,
        held("old", NUMBER, days=9),
        held("new", NUMBER, days=1),
        held("over", NUMBER, ended=True),
        held("other", NUMBER, kind="manual_block"),
        *((unread, [f"e{number}", "unseen_value", value]) for number in range(3)),
        (unread, ["e9", "web_form", value]),
    )
    found = reviews.waiting(home, state)
    assert [(one.id, one.kind, one.times) for one in found] == [
        ("old", "held", 1), ("new", "held", 1), ("value:klaviyo:PAUSED", "vocabulary", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("held_id", "reason", "advice"),
    [
        ("twilio:main:message:SM9", "read", "audiences review list"),
        ("value:klaviyo:PAUSED", "read", "platform_values.csv"),
        (TEXT, " ", "--actor and --reason"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_advice(
    home: Home, state: State, calls: Calls, held_id: str, reason: str, advice: str
) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        decide(home, state, calls, "stop", held_id, reason)
    assert verdicts(state) == []


def test_builds_load_each_verdict_once_and_lose_none(home: Home, state: State, calls: Calls) -> None:
    decide(home, state, calls, "no_stop")
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, [], [])
        connection.execute("INSERT INTO raw_audiences.reviews VALUES ('former', 'x', 'stop', 'a', 'b', now())")
        assert reviews.load(state, connection) == 1
        assert reviews.load(state, connection) == 0
        rows = connection.execute("SELECT reviewed_id, verdict, actor FROM raw_audiences.reviews ORDER BY 1").fetchall()
    assert rows == [(TEXT, "no_stop", "sam"), ("x", "stop", "a")]
