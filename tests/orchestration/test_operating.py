"""The commands of people who operate, as they run them: who is meant, what is kept, and what the exit codes say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from orchestration.activation.state import State, approvals, baselines, ledger, lifts
from orchestration.home import Home
from orchestration.landing.files import Landing
from tests.activation.places import add_member, members
from tests.landing.senders import make_home, publish_catalogue
from tests.orchestration.test_cli import ROOT, audiences

WHO = ("--actor", "jo", "--reason", "asked by phone")
UTAH = ("--registry", "child_protection_utah")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose destinations do not answer."""
    return make_home(tmp_path)


def rows(home: Home) -> list[tuple[str, str, str, str, str]]:
    state = State(home.state)
    with state.ledger.connect() as connection:
        found = connection.execute(select(ledger)).all()
    state.close()
    return sorted((row.kind, row.channel, row.topic, row.actor, row.reason) for row in found)


def test_suppress_blocks_at_once_and_says_what_is_owed_still(home: Home) -> None:
    state = State(home.state)
    jane = add_member(state, "1", "email:jane@b.c")
    told = audiences(home.folder, "suppress", "jane@b.c", "+1 (415) 555-0123", *WHO, "--json")
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert (answer["identifiers"], answer["unread_lines"]) == (2, [])
    assert answer["calls"]["remove"] == {"due": 1}
    assert rows(home) == [("manual_block", "*", "*", "jo", "asked by phone")] * 2
    assert members(state) == {jane: "accepted"}, "its platform does not answer; the call is owed"
    state.close()
    assert "jane" not in told.stdout + told.stderr


def test_entries_of_a_file_count_once_and_unreadable_ones_are_named_by_their_number(home: Home) -> None:
    file = home.folder / "people.txt"
    file.write_text("\ufeffjane@b.c\n\n# the complaints of May\nJANE@b.c\nnobody\n4155550123\njohn@b.c\n")
    told = audiences(home.folder, "suppress", "--file", str(file), "--channel", "email", *WHO)
    assert told.returncode == 1
    assert "Blocked 2 on email" in told.stdout
    assert "entries 5, 6" in told.stderr
    assert "nobody" not in told.stderr
    assert rows(home) == [("manual_block", "email", "*", "jo", "asked by phone")] * 2


def test_standard_input_is_read_line_by_line(home: Home) -> None:
    command = [sys.executable, "-m", "orchestration.cli", "--home", str(home.folder), "suppress", "-", *WHO, "--json"]
    told = subprocess.run(
        command, input="\n".join(f"p{number}@b.c" for number in range(700)), cwd=ROOT,
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert json.loads(told.stdout)["identifiers"] == 700
    assert len(rows(home)) == 700


def test_a_lift_is_landed_for_the_next_build_with_who_and_why(home: Home) -> None:
    audiences(home.folder, "suppress", "jane@b.c", *WHO)
    told = audiences(home.folder, "lift", "jane@b.c", "john@b.c", "--actor", "al", "--reason", "a mistake")
    assert told.returncode == 0, told.stderr
    assert "Lifted 1 on every channel: takes effect with the next build" in told.stdout
    assert "1 had no standing block" in told.stdout
    assert Landing(home.landing).count("segmentation", "ready") == 1
    state = State(home.state)
    with state.ledger.connect() as connection:
        [lift] = connection.execute(select(lifts)).all()
    state.close()
    assert (lift.actor, lift.reason) == ("al", "a mistake")


def test_lifting_what_is_not_blocked_is_said_by_the_exit_code(home: Home) -> None:
    told = audiences(home.folder, "lift", "jane@b.c", *WHO)
    assert told.returncode == 1
    assert Landing(home.landing).count("segmentation", "ready") == 0


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["suppress", "jane@b.c"], "--actor"),
        (["suppress", "jane@b.c", "--actor", "jo", "--reason", " "], "--actor and --reason"),
        (["suppress", *WHO], "Nobody is named"),
        (["suppress", "jane", *WHO], "Nobody is named"),
        (["suppress", "jane@b.c", "--channel", "sms", *WHO], "that the channel"),
        (["suppress", "jane@b.c", "--topic", "gossip", *WHO], "known are"),
        (["suppress", "--file", "nowhere.txt", *WHO], "nowhere.txt cannot be read"),
        (["approve", "klaviyo", *WHO], "klaviyo:main"),
        (["approve", "klaviyo:other", *WHO], "[sources.klaviyo.other]"),
        (["approve", "twilio:main", *WHO], "no approval"),
        (["baseline", "nowhere:main", *WHO], "known are"),
        (["restore", "nowhere.tar"], "not empty"),
        (["registry", "import", "--registry", "utah", "--checked-on", "2026-11-01", "--actor", "jo"], "known are"),
        (["registry", "import", *UTAH, "--checked-on", "today", "--actor", "jo"], "2026-11-22"),
        (["registry", "import", *UTAH, "--checked-on", "2026-11-01", "--actor", "jo"], "--whole-list"),
        (["registry", "import", "a.csv", *UTAH, "--checked-on", "2026-11-01", "--actor", "jo"], "no file a.csv"),
        (["registry", "import", "--reads", "yes", *UTAH, "--checked-on", "2026-11-01", "--actor", "jo"], "word=result"),
        (["registry", "retract", "ab12", *WHO], "names no receipt"),
        (["review", "decide", "x", *WHO], "--stop"),
        (["link", "shopify:1", "klaviyo:main:2", *WHO], "platform:account:record_id"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else None,
)
def test_a_call_that_cannot_be_meant_is_refused_with_advice_and_changes_nothing(
    home: Home, arguments: list[str], advice: str
) -> None:
    publish_catalogue(home)
    told = audiences(home.folder, *arguments)
    assert (told.returncode, told.stdout) == (2, ""), told.stderr
    assert advice in told.stderr
    assert "Traceback" not in told.stderr
    assert list(home.landing.rglob("*.jsonl")) == []


def test_before_the_first_build_there_are_no_records_to_part(home: Home) -> None:
    told = audiences(home.folder, "unlink", "shopify:main:1", "klaviyo:main:2", *WHO)
    assert (told.returncode, told.stdout) == (1, ""), told.stderr
    assert "No build has been published" in told.stderr


def test_a_topic_that_audiences_have_can_be_blocked_alone(home: Home) -> None:
    publish_catalogue(home)
    topic = json.loads((home.published / "catalogue.json").read_bytes())["audiences"][0]["topic"]
    assert audiences(home.folder, "suppress", "jane@b.c", "--topic", topic, *WHO).returncode == 0
    assert rows(home) == [("manual_block", "*", topic, "jo", "asked by phone")]


def test_approve_keeps_who_and_why(home: Home) -> None:
    told = audiences(home.folder, "approve", "klaviyo:main", *WHO, "--json")
    assert (told.returncode, json.loads(told.stdout)) == (0, {"account": "klaviyo:main", "ready": 0, "held": 0})
    state = State(home.state)
    with state.deliveries.connect() as connection:
        [kept] = connection.execute(select(approvals)).all()
    state.close()
    assert (kept.platform, kept.account, kept.approved_by, kept.reason) == ("klaviyo", "main", "jo", "asked by phone")


def test_baseline_marks_the_places_of_the_accounts_named(home: Home) -> None:
    state = State(home.state)
    add_member(state, "1", "email:jane@b.c")
    add_member(state, "2", "email:jane@b.c", platform="shopify")
    told = audiences(home.folder, "baseline", "shopify:main", *WHO, "--json")
    assert told.returncode == 0, told.stderr
    with state.deliveries.connect() as connection:
        [owed] = connection.execute(select(baselines)).all()
    state.close()
    assert (owed.platform, owed.taken_at, owed.because) == ("shopify", None, "jo: asked by phone")


def test_mended_says_by_its_exit_code_when_there_was_nothing(home: Home) -> None:
    assert audiences(home.folder, "mended", "klaviyo:main", *WHO).returncode == 1
