import os
import re
import time
from pathlib import Path

import pytest

from orchestration.landing import archive
from orchestration.landing.files import DamagedFileError, Landed, Landing, new_id, read
from tests.landing.senders import klaviyo_unsubscribe, landed_of


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    landing = Landing(tmp_path / "landing")
    landing.create()
    return landing


def some(count: int = 1) -> list[Landed]:
    return [landed_of(klaviyo_unsubscribe(f"p{number}@example.com", f"id{number}")) for number in range(count)]


def test_what_is_written_is_read_back_as_it_was(landing: Landing) -> None:
    requests = some(3)
    [path] = landing.write("speed", [one.line() for one in requests])
    assert list(read(path)) == requests


def test_ids_sort_by_time_and_never_repeat() -> None:
    ids = [new_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert [one[:15] for one in ids] == sorted(one[:15] for one in ids)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", ids[0])


def test_pending_goes_through_ready_before_claimed_and_leaves_settled_out(landing: Landing) -> None:
    paths = [landing.write("speed", [one.line()])[0] for one in some(3)]
    worker = landing.path("speed", "claimed") / "w"
    worker.mkdir()
    paths[0].rename(worker / paths[0].name)
    landing.move(paths[1], "speed", "settled")
    assert [path.parent.name for path in landing.pending("speed")] == ["ready", "w"]


def test_a_file_whose_write_failed_is_not_ready(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="No space"):
        landing.write("speed", [some()[0].line()])
    assert landing.count("speed", "ready") == 0
    assert list((landing.folder / "speed" / "writing").iterdir()) == []


def test_a_large_group_becomes_several_files(landing: Landing) -> None:
    line = b"x" * 3_000_000 + b"\n"
    assert len(landing.write("speed", [line] * 5)) == 3


def test_a_damaged_line_is_told_and_not_passed_over(landing: Landing) -> None:
    [path] = landing.write("speed", [some()[0].line(), b'{"id": "half\n'])
    with pytest.raises(DamagedFileError, match="line 2"):
        list(read(path))


def test_counts_tell_files_and_the_oldest_age(landing: Landing) -> None:
    landing.write("care", [some()[0].line()])
    time.sleep(0.05)
    counts = {(one.lane, one.stage): one for one in landing.counts()}
    assert counts["care", "ready"].files == 1
    assert 0.04 < counts["care", "ready"].oldest_seconds < 5
    assert counts["speed", "ready"].files == 0


def test_sweeping_drops_only_abandoned_drafts(landing: Landing) -> None:
    folder = landing.folder / "speed" / "writing"
    for name, age in (("old.jsonl", 7200), ("new.jsonl", 0)):
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    landing.sweep()
    assert [path.name for path in folder.iterdir()] == ["new.jsonl"]


def test_compaction_packs_many_files_into_one_and_loses_no_line(landing: Landing) -> None:
    requests = some(6)
    for half in (requests[:3], requests[3:]):
        for one in half:
            [path] = landing.write("care", [one.line()])
            landing.move(path, "care", "loaded")
        assert archive.compact(landing, "care", many=3) == 3
    assert landing.count("care", "loaded") == 0
    assert len(list((landing.folder / "archive" / "care").iterdir())) == 1
    assert list(archive.archived(landing, "care")) == requests


def test_a_few_files_of_today_are_left_alone(landing: Landing) -> None:
    [path] = landing.write("care", [some()[0].line()])
    landing.move(path, "care", "loaded")
    assert archive.compact(landing, "care") == 0
    assert landing.count("care", "loaded") == 1
