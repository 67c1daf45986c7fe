"""Records joined and parted by hand: the last word about two records counts, and nothing is ever taken out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dlt_sources.errors import ConfigurationError
from orchestration import warehouse
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.inputs import links
from orchestration.inputs.links import Linked, Verdict
from tests.inputs.published import publish, record
from tests.landing.senders import make_home

SHOP, MAIL = "shopify:main:7", "klaviyo:main:01:K"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = make_home(tmp_path)
    monkeypatch.setenv("AUDIENCES_HOME", str(tmp_path))
    publish(
        home, record("p_1", "shopify", "7"), record("p_2", "klaviyo", "01:K"), record("p_3", "twilio", "+14155550123")
    )
    return home


@pytest.fixture
def state(home: Home) -> Iterator[State]:
    state = State(home.state)
    yield state
    state.close()


def say(home: Home, state: State, verdict: Verdict, first: str = SHOP, second: str = MAIL) -> Linked:
    return links.say(home, state, first, second, verdict, actor="sam", reason="same address and name")


def raw_rows(home: Home, state: State) -> list[tuple[object, ...]]:
    with warehouse.opened(home) as connection:
        warehouse.ensure_raw(connection, [], [])
        links.load(state, connection)
        return connection.execute(
            "SELECT verdict, left_platform, left_account, left_record_id, right_platform, right_account, "
            "right_record_id, actor, reason FROM raw_audiences.links ORDER BY recorded_at"
        ).fetchall()


def test_what_is_said_of_two_records_travels_to_the_next_build(home: Home, state: State) -> None:
    done = say(home, state, "merge")
    assert (done.left, done.right, done.persons) == (SHOP, MAIL, ("p_1", "p_2"))
    about = ("shopify", "main", "7", "klaviyo", "main", "01:K", "sam", "same address and name")
    assert raw_rows(home, state) == [("merge", *about)]
    say(home, state, "unmerge")
    assert raw_rows(home, state) == [("merge", *about), ("unmerge", *about)]


def test_the_same_word_again_in_any_order_adds_nothing(home: Home, state: State) -> None:
    assert not say(home, state, "merge").is_repeat
    assert say(home, state, "merge", MAIL, SHOP).is_repeat
    say(home, state, "unmerge")
    assert not say(home, state, "merge").is_repeat, "the last word counts"
    assert len(raw_rows(home, state)) == 3
    assert len(raw_rows(home, state)) == 3, "a build loads each once"


@pytest.mark.parametrize(
    ("first", "second", "advice"),
    [
        ("shopify:7", MAIL, "platform:account:record_id"),
        (SHOP, SHOP, "name two"),
        ("shopify:main:8", MAIL, "has no record shopify:main:8"),
        ("shopify:other:7", MAIL, "sources.shopify.other"),
        ("nowhere:main:7", MAIL, "nowhere"),
        ("twilio:main:+14155550123", MAIL, "only numbers"),
    ],
)
def test_records_that_cannot_be_meant_are_refused(
    home: Home, state: State, first: str, second: str, advice: str
) -> None:
    with pytest.raises(ConfigurationError, match=advice.replace(".", r"\.")) as refused:
        say(home, state, "merge", first, second)
    assert "4155550123" not in str(refused.value)
    assert raw_rows(home, state) == []
