"""The commands of people who decide, as they run them: registries, reviews and links, in text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.home import Home
from tests.inputs.published import held, person, publish, record
from tests.landing.senders import make_home
from tests.orchestration.test_cli import audiences

TERMS = ("--registry", "child_protection_utah", "--checked-on", "2026-11-20", "--actor", "jo")
WHO = ("--actor", "sam", "--reason", "read it")
HELD, NUMBER = "twilio:main:message:SM1", "+14155550123"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    publish(
        home, held(HELD, NUMBER), person("p_1", NUMBER), record("p_1", "shopify", "7"), record("p_2", "klaviyo", "K")
    )
    return home


def test_a_receipt_is_brought_listed_and_taken_back(home: Home) -> None:
    file = home.folder / "answer.csv"
    file.write_text("email,result\njane@b.c,listed\njo@b.c,clear\nnobody,clear\n")
    told = audiences(home.folder, "registry", "import", str(file), *TERMS)
    assert told.returncode == 1, told.stderr
    assert "1 clear, 1 listed" in told.stdout
    assert "set aside: 1 rows, identifier: not_an_identifier" in told.stderr
    assert "jane" not in told.stdout + told.stderr
    again = json.loads(audiences(home.folder, "registry", "import", str(file), *TERMS, "--json").stdout)
    assert (again["is_repeat"], again["set_aside"]) == (True, 1)
    listed = json.loads(audiences(home.folder, "registry", "list", "--json").stdout)
    [utah] = [one for one in listed["registries"] if one["registry"] == "child_protection_utah"]
    assert (utah["last_checked_on"], utah["unloaded"]) == ("2026-11-20", 1)
    assert [one["import_id"] for one in listed["receipts"]] == [again["import_id"]]
    back = audiences(home.folder, "registry", "retract", again["import_id"][:12], *WHO)
    assert "counts no more" in back.stdout
    text = audiences(home.folder, "registry", "list").stdout
    assert "taken back by sam" in text
    assert "do_not_call_us" in text


def test_what_waits_is_shown_masked_and_leaves_the_queue_when_it_is_decided(home: Home) -> None:
    text = audiences(home.folder, "review", "list").stdout
    assert HELD in text
    assert "dont stop the deals" in text
    assert NUMBER not in text
    assert NUMBER in audiences(home.folder, "review", "list", "--show").stdout
    told = audiences(home.folder, "review", "decide", HELD, "--no-stop", *WHO)
    assert (told.returncode, "is no stop" in told.stdout) == (0, True), told.stderr
    assert json.loads(audiences(home.folder, "review", "list", "--json").stdout) == []
    stopped = audiences(home.folder, "review", "decide", HELD, "--stop", *WHO)
    assert (stopped.returncode, "Nobody is added from now on" in stopped.stdout) == (0, True), stopped.stderr
    assert NUMBER not in stopped.stdout


def test_records_are_joined_and_parted_with_who_and_why(home: Home) -> None:
    told = audiences(home.folder, "link", "shopify:main:7", "klaviyo:main:K", *WHO)
    assert (told.returncode, "one person's, from the next build on" in told.stdout) == (0, True), told.stderr
    assert "they are of p_1 and p_2" in told.stdout
    again = json.loads(audiences(home.folder, "link", "klaviyo:main:K", "shopify:main:7", *WHO, "--json").stdout)
    assert again["is_repeat"]
    assert "not one person's" in audiences(home.folder, "unlink", "shopify:main:7", "klaviyo:main:K", *WHO).stdout
