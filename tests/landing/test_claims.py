import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration.landing.claims import Claims
from orchestration.landing.files import Landing
from tests.landing.senders import klaviyo_unsubscribe, landed_of


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    landing = Landing(tmp_path / "landing")
    landing.create()
    return landing


def fill(landing: Landing, count: int) -> list[str]:
    line = landed_of(klaviyo_unsubscribe("a@example.com", "1")).line()
    return [landing.write("speed", [line])[0].name for _ in range(count)]


def test_two_workers_never_hold_the_same_file(landing: Landing) -> None:
    names = fill(landing, 10)
    first, second = Claims(landing, "speed"), Claims(landing, "speed")
    one, other = first.claim(6), second.claim(100)
    assert sorted(path.name for path in [*one, *other]) == names
    assert [path.name for path in one] == names[:6]


def test_claims_of_a_living_worker_are_not_taken_over(landing: Landing) -> None:
    fill(landing, 3)
    Claims(landing, "speed", lease=60).claim(10)
    assert Claims(landing, "speed", lease=60).claim(10) == []


def test_an_ended_lease_is_taken_over_where_the_files_are(landing: Landing) -> None:
    names = fill(landing, 3)
    first = Claims(landing, "speed", lease=0.2)
    held = first.claim(10)
    time.sleep(0.3)
    second = Claims(landing, "speed", lease=0.2)
    assert second.claim(10) == held
    assert [path.name for path in held] == names
    first.renew(force=True)
    assert first.claim(10) == []


def test_a_renewed_lease_does_not_end(landing: Landing) -> None:
    fill(landing, 1)
    first, second = Claims(landing, "speed", lease=0.4), Claims(landing, "speed", lease=0.4)
    first.claim(10)
    for _ in range(6):
        time.sleep(0.11)
        first.renew()
        assert second.claim(10) == []


def test_a_released_claim_is_free_at_once(landing: Landing) -> None:
    names = fill(landing, 2)
    first = Claims(landing, "speed", lease=60)
    first.claim(10)
    first.release()
    assert [path.name for path in Claims(landing, "speed", lease=60).claim(10)] == names


def test_claims_of_a_process_that_died_here_are_free_at_once(landing: Landing) -> None:
    names = fill(landing, 2)
    script = (
        "import os, sys; from pathlib import Path; from orchestration.landing.claims import Claims;"
        "from orchestration.landing.files import Landing;"
        "Claims(Landing(Path(sys.argv[1])), 'speed', lease=60).claim(10); os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", script, str(landing.folder)], check=False, timeout=30, cwd=Path.cwd())
    assert died.returncode == -9
    assert [path.name for path in Claims(landing, "speed", lease=60).claim(10)] == names


def test_folders_of_finished_workers_go(landing: Landing) -> None:
    fill(landing, 1)
    first = Claims(landing, "speed", lease=60)
    [path] = first.claim(10)
    landing.move(path, "speed", "settled")
    first.release()
    assert [entry.name for entry in landing.path("speed", "claimed").iterdir() if entry.is_dir()] == []


def test_files_to_leave_alone_are_held_but_not_given_out(landing: Landing) -> None:
    names = fill(landing, 3)
    claims = Claims(landing, "speed")
    claims.claim(10)
    assert [path.name for path in claims.claim(10, leave={names[1]})] == [names[0], names[2]]
