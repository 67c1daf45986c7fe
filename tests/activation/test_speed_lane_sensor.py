import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from dagster import SkipReason, build_sensor_context

from orchestration.home import Home
from orchestration.landing.files import Landing
from tests.landing.senders import klaviyo_unsubscribe, land, make_home


def test_the_second_code_location_imports_neither_dbt_nor_dlt_nor_the_first() -> None:
    script = (
        "import sys, orchestration.speed;"
        "names = {name.partition('.')[0] for name in sys.modules} | set(sys.modules);"
        "print(sorted(names & {'dlt', 'dbt', 'dagster_dbt', 'duckdb', 'pandas', 'orchestration.definitions'}))"
    )
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[]"


def test_an_evaluation_settles_what_waits_and_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration import speed

    home = make_home(tmp_path)
    monkeypatch.setenv("AUDIENCES_HOME", str(home.folder))
    monkeypatch.setattr(speed, "_SECONDS", 1.0)
    land(home, klaviyo_unsubscribe("jane@b.c", "1"))
    answer = speed.speed_lane(build_sensor_context())
    assert isinstance(answer, SkipReason)
    assert str(answer.skip_message).startswith("1 webhooks settled, 1 new ledger rows")
    assert Landing(Home(tmp_path).landing).count("speed", "settled") == 1


SERVER = """
import threading, time
from orchestration.speed import _stopping_with_the_server

def evaluate():
    with _stopping_with_the_server() as stop:
        print("evaluating", flush=True)
        print("stopped" if stop.wait(30) else "not stopped", flush=True)

def wait_for_termination():
    thread.start()
    while True:
        time.sleep(0.05)

thread = threading.Thread(target=evaluate)
try:
    wait_for_termination()
except KeyboardInterrupt:
    thread.join()
"""


def test_an_evaluation_ends_when_its_server_is_told_to() -> None:
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, env={**os.environ})
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "evaluating\n"
        threading.Event().wait(0.5)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=5)[0] == "stopped\n"
    finally:
        process.kill()
        process.wait(timeout=5)
