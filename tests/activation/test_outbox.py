import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from dlt_sources.errors import Failure, RetryLater, SetAside, StopRun
from orchestration.activation import outbox as outbox_module
from orchestration.activation.state import State
from orchestration.home import Home
from tests.activation.places import Calls, add_member, members, owed, wait_until, worker
from tests.landing.senders import klaviyo_unsubscribe, land, make_home

PUBLISHED = outbox_module.BACKOFF


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


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same schedule, a hundred times faster after its first steps."""
    monkeypatch.setattr(outbox_module, "BACKOFF", (0.02, 0.04, 0.08, 0.1))
    monkeypatch.setattr("orchestration.activation.sending.BACKOFF", (0.02, 0.04, 0.08, 0.1))
    monkeypatch.setattr("orchestration.activation.sending.SLOW", (0.3, 0.3))


@contextmanager
def running(home: Home, state: State, calls: Calls) -> Iterator[None]:
    lane, stop = worker(home, state, calls), threading.Event()
    thread = threading.Thread(target=lane.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def failure(status: int | None) -> Failure:
    return Failure("klaviyo", "main", "list:lapsed", status, "as the test says")


def times(count: int, error: Exception) -> Callable[[Sequence[str]], None]:
    left = [count]

    def trouble(_what: Sequence[str]) -> None:
        if left[0]:
            left[0] -= 1
            raise error

    return trouble


def test_what_fails_is_tried_again_until_it_is_taken(home: Home, state: State, calls: Calls) -> None:
    jane = add_member(state, "1", "email:jane@b.c")
    calls.trouble["klaviyo:main", "remove"] = times(4, RetryLater(failure(503), "Later."))
    with running(home, state, calls):
        land(home, klaviyo_unsubscribe("jane@b.c", "1"))
        wait_until(lambda: members(state) == {jane: "removed"})
    assert len(calls.of("klaviyo:main", "remove")) == 5


def test_a_sick_destination_delays_no_other(home: Home, state: State, calls: Calls) -> None:
    sick, well = (
        add_member(state, "1", "email:jane@b.c"),
        add_member(state, "2", "email:jane@b.c", platform="shopify"),
    )
    release = threading.Event()

    def hang(_what: Sequence[str]) -> None:
        release.wait(20)

    calls.trouble["klaviyo:main", "remove"] = hang
    with running(home, state, calls):
        started = time.monotonic()
        land(home, klaviyo_unsubscribe("jane@b.c", "1"))
        wait_until(lambda: members(state)[well] == "removed", 5)
        assert time.monotonic() - started < 3
        assert members(state)[sick] == "accepted"
        release.set()
        wait_until(lambda: members(state)[sick] == "removed")


def test_a_wait_that_the_platform_asked_for_is_kept_and_uses_up_no_attempt(
    home: Home, state: State, calls: Calls
) -> None:
    jane = add_member(state, "1", "email:jane@b.c")
    calls.trouble["klaviyo:main", "remove"] = times(1, RetryLater(failure(429), "Wait.", retry_after=0.7))
    with running(home, state, calls):
        land(home, klaviyo_unsubscribe("jane@b.c", "1"))
        wait_until(lambda: members(state) == {jane: "removed"})
    asked = [at for at, made in zip(calls.at, calls.made, strict=True) if made[:2] == ("klaviyo:main", "remove")]
    assert 0.65 < asked[1] - asked[0] < 3
    assert set(owed(state, "attempts")) == {0}


def test_a_bad_row_in_a_batch_delays_only_itself(home: Home, state: State, calls: Calls) -> None:
    for number in range(8):
        add_member(state, str(number), f"email:p{number}@b.c")

    def reject(what: Sequence[str]) -> None:
        if "3" in what:
            raise SetAside(failure(400), "Mend it.")

    calls.trouble["klaviyo:main", "remove"] = reject
    with running(home, state, calls):
        land(home, *(klaviyo_unsubscribe(f"p{number}@b.c", str(number)) for number in range(8)))
        wait_until(lambda: list(members(state).values()).count("removed") == 7)
        wait_until(lambda: "dead" in owed(state))
    assert members(state)["lapsed/klaviyo/3"] == "accepted"


def test_a_row_called_faulty_again_and_again_is_given_up_with_an_alarm(
    home: Home, state: State, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    add_member(state, "1", "email:jane@b.c")
    calls.outcome = lambda _account, operation, _what: "dead" if operation == "remove" else "accepted"
    with caplog.at_level(logging.ERROR), running(home, state, calls):
        land(home, klaviyo_unsubscribe("jane@b.c", "1"))
        wait_until(lambda: "dead" in owed(state))
    assert len(calls.of("klaviyo:main", "remove")) == outbox_module.DEAD_AFTER
    assert "given up after 5 attempts" in caplog.text
    assert "jane" not in caplog.text


def test_what_waits_for_a_person_is_never_dropped(home: Home, state: State, calls: Calls) -> None:
    jane = add_member(state, "1", "email:jane@b.c")
    calls.trouble["klaviyo:main", "remove"] = times(7, StopRun(failure(404), "Mend the name."))
    with running(home, state, calls):
        land(home, klaviyo_unsubscribe("jane@b.c", "1"))
        wait_until(lambda: members(state) == {jane: "removed"}, 20)
    assert len(calls.of("klaviyo:main", "remove")) == 8


def test_a_destination_that_breaks_in_its_own_code_is_tried_again(
    home: Home, state: State, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    jane = add_member(state, "1", "email:jane@b.c")
    calls.trouble["klaviyo:main", "remove"] = times(2, ZeroDivisionError("jane@b.c"))
    with running(home, state, calls):
        land(home, klaviyo_unsubscribe("jane@b.c", "1"))
        wait_until(lambda: members(state) == {jane: "removed"})
    assert "ZeroDivisionError" in caplog.text
    assert "jane" not in caplog.text


def test_batches_are_as_large_as_the_destination_takes(home: Home, state: State, calls: Calls) -> None:
    for number in range(10):
        add_member(state, str(number), f"email:p{number}@b.c")
    land(home, *(klaviyo_unsubscribe(f"p{number}@b.c", str(number)) for number in range(10)))
    lane = worker(home, state, calls)
    lane.settle_once()
    lane.deliver_once()
    sizes = [len(made[3]) for made in calls.made if made[:2] == ("klaviyo:main", "remove")]
    assert sizes == [4, 4, 2]


def test_the_published_schedule_begins_fast_and_never_ends() -> None:
    assert PUBLISHED[:5] == (0.1, 0.5, 2.0, 10.0, 60.0)
    assert PUBLISHED[-1] == 3600.0
