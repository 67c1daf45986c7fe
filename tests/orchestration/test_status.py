"""`audiences status`: what it shows, what needs a person, and that it answers at once without disturbing anything."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import insert, update

from orchestration import warehouse
from orchestration.activation.outbox import Outbox
from orchestration.activation.standing import Standing, standing
from orchestration.activation.state import builds, ledger, outbox
from orchestration.landing.files import Landing
from tests.activation.shop import MAILER, PLATFORM, Shop
from tests.orchestration.test_cli import audiences

NOW = datetime.now(UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A house in good order: a published build, a source that answered, a worker at work."""
    shop = Shop(tmp_path)
    shop.audience()
    Landing(shop.home.landing).create()
    shop.build({"buyers": range(5)})
    answered(shop, datetime.now(UTC))
    shop.plan()
    shop.apply()
    shop.publish()
    shop.state.beat.touch()
    return shop


def answered(shop: Shop, at: datetime) -> None:
    with shop.open() as connection:
        connection.execute("DELETE FROM raw_audiences.contacts")
        connection.execute("INSERT INTO raw_audiences.contacts VALUES ('mailer', 'main', 'people', ?, 3600)", [at])


def look(shop: Shop) -> Standing:
    return standing(shop.home, shop.state, [PLATFORM], [MAILER])


def owe(shop: Shop, state: str, attempts: int = 0) -> None:
    values = {
        "outbox_id": f"{state}{attempts}", "ledger_id": "l", "operation": "remove", "reason": "withdrawn",
        "platform": "mailer", "account": "main", "channel": "email", "state": state, "attempts": attempts,
        "next_attempt_at": NOW, "created_at": NOW,
    }  # fmt: skip
    with shop.state.write_deliveries() as connection:
        connection.execute(insert(outbox).values(values))


def test_a_house_in_good_order_needs_nobody(shop: Shop) -> None:
    found = look(shop)
    assert found.needs == []
    assert found.build is not None
    assert (found.build.build_id, found.build.later, found.speed_lane_alive) == (1, 0, True)
    assert [(one.source, one.stale) for one in found.sources] == [("mailer:main people", False)]
    assert (found.never_approved, found.held, found.owed, found.dead_rows) == ([], [], [], {})


def test_before_the_first_build_it_says_so(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    found = look(shop)
    assert found.build is None
    assert "No build has been published yet: audiences run" in found.needs


def test_the_next_change_by_the_clock_is_told_and_one_that_was_missed_needs_somebody(shop: Shop) -> None:
    published = str(shop.home.published_warehouse)
    with duckdb.connect(published) as connection:
        connection.execute("UPDATE marts.decisions SET next_change_at = now() + INTERVAL 3 DAY WHERE person_id = 'p1'")
    found = look(shop)
    assert found.next_change is not None
    assert (found.next_change.people, found.needs) == (1, [])
    with duckdb.connect(published) as connection:
        connection.execute("UPDATE marts.clock SET as_of = now() - INTERVAL 1 DAY")
        missed = "UPDATE marts.decisions SET next_change_at = now() - INTERVAL 2 HOUR WHERE person_id IN ('p0', 'p2')"
        connection.execute(missed)
    assert [text for text in look(shop).needs if "audiences run --job redecide" in text and "of 2 people" in text]


def test_a_worker_that_stopped_is_told(shop: Shop) -> None:
    shop.state.beat.unlink()
    assert any("No worker of the speed lane" in text for text in look(shop).needs)


def test_a_source_older_than_two_schedules_is_marked(shop: Shop) -> None:
    answered(shop, datetime.now(UTC) - timedelta(hours=3))
    shop.publish()
    [source] = look(shop).sources
    assert source.stale
    assert any("mailer:main people is stale" in text for text in look(shop).needs)


def test_opt_outs_that_nobody_settles_are_counted_and_told(shop: Shop) -> None:
    old = Landing(shop.home.landing).write("speed", [b"{}\n"])[0]
    milliseconds = int((time.time() - 300) * 1000)
    text = f"{milliseconds << 80 | 7 << 76 | 2 << 62:032x}"
    name = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}.jsonl"
    old.rename(old.with_name(name))
    found = look(shop)
    [queue] = found.queues
    assert (queue.lane, queue.stage, queue.files) == ("speed", "ready", 1)
    assert queue.oldest_seconds == pytest.approx(300, abs=10)
    assert any("1 files of the speed lane wait" in text for text in found.needs)


def test_calls_are_counted_by_how_often_they_were_tried(shop: Shop) -> None:
    owe(shop, "due")
    owe(shop, "due", attempts=2)
    [owed] = look(shop).owed
    assert (owed.account, owed.due, owed.retrying, owed.dead) == ("mailer:main", 1, 1, 0)
    assert look(shop).needs == [], "what will get through by itself needs nobody"


def test_calls_given_up_need_a_person_until_they_are_mended(shop: Shop) -> None:
    owe(shop, "dead", attempts=5)
    assert any("audiences mended mailer:main" in text for text in look(shop).needs)
    assert Outbox(shop.state).mended("mailer:main", "mended by jo: removed there") == 1
    assert look(shop).needs == []
    assert Outbox(shop.state).mended("mailer:main", "again") == 0


def test_an_opt_out_whose_person_is_not_known_needs_a_person_after_a_while(shop: Shop) -> None:
    values = {
        "ledger_id": "l", "landing_id": "x", "platform": "mailer", "account": "main", "brand": "*",
        "event_name": "email_unsubscribed", "kind": "withdrawn", "channel": "email", "topic": "*", "audience": "*",
        "occurred_at": NOW, "recorded_at": datetime.now(UTC), "unresolved": True,
    }  # fmt: skip
    with shop.state.write_ledger() as connection:
        connection.execute(insert(ledger).values(values))
    assert (look(shop).unresolved, look(shop).needs) == (1, [])
    with shop.state.write_ledger() as connection:
        connection.execute(update(ledger).values(recorded_at=NOW - timedelta(hours=1)))
    assert any("1 opt-outs name a record" in text for text in look(shop).needs)


def test_a_held_plan_is_shown_with_its_reason_and_the_command_that_releases_it(shop: Shop) -> None:
    shop.build({"buyers": []})
    held = shop.plan()["buyers"]
    [found] = look(shop).held
    assert (found.plan_id, found.removes) == (held.plan_id, 5)
    assert found.because[0].startswith("empty_audience")
    assert found.approve == f"audiences apply {held.plan_id[:12]} --approve --actor YOU --reason WHY"
    assert any(found.approve in text for text in look(shop).needs)


def test_rows_given_up_count_until_a_newer_plan_has_sent_them(shop: Shop) -> None:
    shop.mailer.bad = {"r7"}
    shop.build({"buyers": range(8)})
    shop.plan()
    shop.apply()
    assert look(shop).dead_rows == {"mailer:main": 1}
    shop.mailer.bad = set()
    shop.build({"buyers": range(8)})
    shop.plan()
    shop.apply()
    assert look(shop).dead_rows == {}


def test_a_build_that_made_no_decisions_and_an_old_one_are_told(shop: Shop) -> None:
    with shop.state.write_ledger() as connection:
        connection.execute(insert(builds).values(build_id=2, as_of=NOW, started_at=NOW))
        connection.execute(update(builds).where(builds.c.build_id == 1).values(decided_at=NOW - timedelta(days=3)))
    found = look(shop)
    assert found.build is not None
    assert (found.build.build_id, found.build.later) == (1, 1)
    assert any("3.0 days old" in text for text in found.needs)


def test_it_answers_while_a_build_holds_the_warehouse(shop: Shop) -> None:
    with warehouse.opened(shop.home) as connection:
        connection.execute("BEGIN")
        started = time.monotonic()
        look(shop)
        assert time.monotonic() - started < 1.0


def test_the_command_tells_both_people_and_machines_and_its_exit_code_says_whether_somebody_is_needed(
    tmp_path: Path,
) -> None:
    told = audiences(tmp_path, "status", "--json")
    assert told.returncode == 1, told.stderr
    assert json.loads(told.stdout)["needs"]
    text = audiences(tmp_path, "status").stdout
    assert "Needs a person:" in text
    assert "audiences run" in text


def test_a_feed_that_fell_silent_is_told(shop: Shop) -> None:
    quiet = replace(MAILER, settings={"silent_after_hours": "1"})
    found = standing(shop.home, shop.state, [PLATFORM], [quiet])
    [silent] = found.silent_feeds
    assert silent.startswith("mailer:main is silent: ")
    assert any("The webhook feed of mailer:main" in text for text in found.needs)
