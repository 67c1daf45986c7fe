"""Child processes: they stop for sure, and one that dies tells why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dlt_sources.errors import AudiencesError
from orchestration.processes import Children, free_port, listening

STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(120)
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
print(f"grandchild {child.pid}", flush=True)
time.sleep(120)
"""
POLITE = """
import time
print("up", flush=True)
try:
    time.sleep(120)
except KeyboardInterrupt:
    print("tidied up", flush=True)
"""
BROKEN = """
print("first line")
raise SystemExit("port 80 is taken")
"""


@pytest.fixture
def module(tmp_path: Path) -> Callable[[str, str], list[str]]:
    """A module that `python -m` finds, of the given code; what to start it with."""
    folder = tmp_path / "modules"
    folder.mkdir()

    def written(name: str, code: str) -> list[str]:
        (folder / f"{name}.py").write_text(code)
        return [name]

    return written


@pytest.fixture
def children(tmp_path: Path) -> Children:
    return Children(tmp_path / "logs", {"PYTHONPATH": str(tmp_path / "modules")})


def alive(pid: int) -> bool:
    """True while a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def pid_of(children: Children, name: str) -> int:
    return children._running[name].pid


def test_leaving_the_block_lets_children_tidy_up(children: Children, module: Callable[[str, str], list[str]]) -> None:
    with children:
        children.start("polite", module("polite", POLITE))
        children.wait_for("polite", lambda: children.said("polite", "up"), 30)
        pid = pid_of(children, "polite")
    assert gone(pid)
    assert (children.logs / "polite.log").read_text() == "up\ntidied up\n"


def test_a_child_that_is_deaf_to_interrupts_is_killed(
    children: Children, module: Callable[[str, str], list[str]]
) -> None:
    with children:
        children.start("stubborn", module("stubborn", STUBBORN))
        children.wait_for("stubborn", lambda: children.said("stubborn", "deaf"), 30)
        pid = pid_of(children, "stubborn")
        children.stop(0.2)
        assert gone(pid)


def test_the_children_of_a_child_stop_with_it(children: Children, module: Callable[[str, str], list[str]]) -> None:
    with children:
        children.start("parent", module("parent", PARENT))
        children.wait_for("parent", lambda: children.said("parent", "grandchild"), 30)
        grandchild = int((children.logs / "parent.log").read_text().split()[1])
        assert alive(grandchild)
    assert gone(grandchild)


def test_children_stop_although_the_block_ends_in_an_error(
    children: Children, module: Callable[[str, str], list[str]]
) -> None:
    def fail() -> None:
        with children:
            children.start("polite", module("polite", POLITE))
            children.wait_for("polite", lambda: children.said("polite", "up"), 30)
            raise AudiencesError(str(pid_of(children, "polite")))

    with pytest.raises(AudiencesError) as caught:
        fail()
    assert gone(int(str(caught.value)))


def test_a_child_that_dies_at_its_start_is_told_with_the_end_of_its_log(
    children: Children, module: Callable[[str, str], list[str]]
) -> None:
    began = time.monotonic()
    with children:
        children.start("broken", module("broken", BROKEN))
        with pytest.raises(AudiencesError) as caught:
            children.wait_for("broken", lambda: False, 60)
    assert time.monotonic() - began < 30
    assert "broken did not start" in str(caught.value)
    assert str(caught.value).endswith("port 80 is taken")
    assert "broken.log" in str(caught.value)


def test_a_child_that_is_not_ready_in_time_is_told(children: Children, module: Callable[[str, str], list[str]]) -> None:
    with children:
        children.start("polite", module("polite", POLITE))
        with pytest.raises(AudiencesError, match="polite did not start"):
            children.wait_for("polite", lambda: False, 0.2)


def test_a_child_that_ends_by_itself_is_named(children: Children, module: Callable[[str, str], list[str]]) -> None:
    with children:
        children.start("polite", module("polite", POLITE))
        children.wait_for("polite", lambda: children.said("polite", "up"), 30)
        assert children.ended() is None
        os.killpg(pid_of(children, "polite"), signal.SIGKILL)
        children._running["polite"].wait(5)
        assert children.ended() == "polite"


def test_children_hear_interrupts_although_a_shell_in_the_background_has_silenced_them(tmp_path: Path) -> None:
    (tmp_path / "polite.py").write_text(POLITE)
    code = (
        "import signal, sys; from pathlib import Path; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from orchestration.processes import Children\n"
        "with Children(Path(sys.argv[1]), {'PYTHONPATH': sys.argv[1]}) as children:\n"
        "    children.start('polite', ['polite'])\n"
        "    children.wait_for('polite', lambda: children.said('polite', 'up'), 30)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    assert (tmp_path / "polite.log").read_text() == "up\ntidied up\n"


def test_a_free_port_listens_only_once_something_does(children: Children) -> None:
    port = free_port()
    assert not listening(port)
    with children:
        children.start("server", ["http.server", str(port), "--bind", "127.0.0.1"])
        children.wait_for("server", lambda: listening(port), 30)
    assert not listening(port)
