"""Kills real processes with SIGKILL at every step of a webhook's life; what was acknowledged has its effect, once."""

import contextlib
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from orchestration.activation.keys import keyed_hash
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.landing.files import Landing, read
from tests.activation.places import add_member, ledger_hashes, ledger_rows, members, owed, wait_until
from tests.landing.senders import Request, klaviyo_unsubscribe, land, make_home, send, twilio

CHILD = [sys.executable, "-m", "tests.chaos.children"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def state(home: Home) -> Iterator[State]:
    state = State(home.state)
    yield state
    state.close()


def run(process: str, home: Home, point: str = "none") -> int:
    return subprocess.run(
        [*CHILD, process, str(home.folder), point], check=False, timeout=60, cwd=Path.cwd()
    ).returncode


@contextmanager
def started(process: str, home: Home, point: str = "none") -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [*CHILD, process, str(home.folder), point], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait(timeout=10)
        if child.stdout:
            child.stdout.close()


def port_of(receiver: subprocess.Popen[str]) -> int:
    assert receiver.stdout is not None
    return int(receiver.stdout.readline())


def acknowledged(port: int, request: Request) -> bool:
    with contextlib.suppress(OSError, ConnectionError):
        return send(port, request)[0] == 200
    return False


def opt_outs(count: int) -> list[Request]:
    return [klaviyo_unsubscribe(f"p{number}@b.c", f"id{number}") for number in range(count)]


def fill(state: State, count: int) -> None:
    for number in range(count):
        add_member(state, str(number), f"email:p{number}@b.c")


def calls(home: Home) -> Counter[str]:
    path = home.folder / "calls.txt"
    return Counter(path.read_text().splitlines() if path.exists() else ())


def assert_each_has_its_effect_once(home: Home, state: State, count: int) -> None:
    assert len(ledger_rows(state)) == count
    hashes = {keyed_hash(state.key, f"email:p{number}@b.c") for number in range(count)}
    assert ledger_hashes(state) == hashes
    assert set(members(state).values()) == {"removed"}
    assert set(owed(state)) == {"done"}
    assert {
        landing.count(lane, "ready") + landing.count(lane, "claimed")
        for landing in [Landing(home.landing)]
        for lane in ("speed", "segmentation", "care")
    } == {0}


@pytest.mark.parametrize("point", ["fsynced", "renamed"])
def test_a_receiver_that_dies_while_it_commits_has_lost_nothing_it_acknowledged(
    home: Home, state: State, point: str
) -> None:
    requests = opt_outs(5)
    with started("receiver", home, point) as receiver:
        port = port_of(receiver)
        first = [one for one in requests if acknowledged(port, one)]
        assert receiver.wait(timeout=10) == -9
    assert first == requests[:2]
    kept = [one.body for path in Landing(home.landing).pending("speed") for one in read(path)]
    assert set(kept) >= {one.body for one in first}
    with started("receiver", home) as receiver:
        port = port_of(receiver)
        assert all(acknowledged(port, one) for one in requests if one not in first)
    fill(state, 5)
    assert run("settle", home) == 0
    assert_each_has_its_effect_once(home, state, 5)
    assert max(calls(home).values()) == 1


@pytest.mark.parametrize("point", ["claimed", "ledger", "outbox", "unmoved", "half-moved", "called", "undone", "done"])
def test_a_worker_that_dies_leaves_everything_to_the_next(home: Home, state: State, point: str) -> None:
    fill(state, 6)
    for one in opt_outs(6):
        land(home, one)
    assert run("settle", home, point) == -9
    assert run("settle", home) == 0
    assert_each_has_its_effect_once(home, state, 6)
    made = calls(home)
    removals = {what: count for what, count in made.items() if what.startswith("klaviyo:main remove")}
    assert len(removals) == 6
    assert max(removals.values()) <= 2  # a call whose end nobody wrote down is made again, and changes nothing


def test_a_loader_that_dies_before_it_moves_files_on_loads_them_again_and_loses_none(home: Home) -> None:
    for number in range(4):
        land(home, twilio("START", "+14155550123", f"SM{number}"))
    assert run("load", home, "loaded") == -9
    assert run("load", home) == 0
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        loaded = connection.execute(
            "select count(distinct landing_id), count(distinct (account, record_id, payload_hash)), count(*) "
            "from raw_twilio.webhooks"
        ).fetchone()
    assert loaded == (4, 4, 8)
    assert Landing(home.landing).count("segmentation", "loaded") == 4


def test_processes_killed_at_any_moment_lose_nothing_and_do_nothing_twice(home: Home, state: State) -> None:
    """Receiver and worker are killed over and over while a sender tries until it is acknowledged, as platforms do."""
    count, ports, stop = 80, [0], threading.Event()
    fill(state, count)
    chance = random.Random(7)

    def kill_again_and_again(process: str) -> None:
        while not stop.is_set():
            with started(process, home) as child:
                if process == "receiver":
                    ports[0] = port_of(child)
                stop.wait(0.3 + chance.random() * 0.9)

    killers = [threading.Thread(target=kill_again_and_again, args=(process,)) for process in ("receiver", "work")]
    for thread in killers:
        thread.start()
    try:
        end = time.monotonic() + 90
        for one in opt_outs(count):
            while not acknowledged(ports[0], one):
                assert time.monotonic() < end
                time.sleep(0.02)
            time.sleep(0.02)
    finally:
        stop.set()
        for thread in killers:
            thread.join(timeout=20)
    with started("work", home):
        wait_until(lambda: set(members(state).values()) == {"removed"} and set(owed(state)) == {"done"}, 60)
        wait_until(lambda: not list(Landing(home.landing).pending("speed")), 20)
    assert_each_has_its_effect_once(home, state, count)
