"""The book of arrivals, and the rule that tells a silent feed from it."""

import json
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from orchestration.home import Home
from orchestration.landing import arrivals
from orchestration.landing.arrivals import UNKNOWN, Arrivals, Arrived
from orchestration.landing.receiver import app
from orchestration.landing.silence import FLOOR, WINDOW, Feed, feeds, rhythm
from tests.landing.senders import Request, klaviyo_unsubscribe, make_home, send, serving, shopify, twilio

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def account(**settings: str) -> Account:
    return Account("shopify", "main", "acme", "US", (), settings)


def arrived(at: datetime, topic: str = "orders/create", until: datetime | None = None, count: int = 1) -> Arrived:
    return Arrived(platform="shopify", account="main", topic=topic, count=count, first=at, last=until or at)


def daily(days: int, hours: Iterable[int], *, until: datetime = NOW) -> Iterator[Arrived]:
    """A webhook at each of these hours of the days before `until`."""
    start = (until - timedelta(days=days)).replace(hour=0)
    for day in range(days + 1):
        for hour in hours:
            at = start + timedelta(days=day, hours=hour)
            if at <= until:
                yield arrived(at)


def book(folder: Path, found: Iterable[Arrived]) -> Path:
    """A landing zone whose receivers noted these arrivals."""
    (folder / "arrivals").mkdir(parents=True)
    days: dict[str, list[dict[str, object]]] = {}
    for one in found:
        row = {"platform": one.platform, "account": one.account, "topic": one.topic, "count": one.count}
        times = {"first": one.first.timestamp(), "last": one.last.timestamp()}
        days.setdefault(f"{one.first:%Y-%m-%d}", []).append({**row, **times})
    for day, rows in days.items():
        (folder / "arrivals" / f"{day}.test.json").write_text(json.dumps(rows))
    return folder


def feed(folder: Path, found: Iterable[Arrived], now: datetime = NOW, **settings: str) -> Feed:
    [one] = feeds(book(folder, found), [account(**settings)], now)
    return one


# --- the book -------------------------------------------------------------------------------------------------------


def test_a_receiver_notes_what_it_acknowledged_and_nothing_about_people(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    with serving(app(home)) as port:
        for number in range(3):
            assert send(port, klaviyo_unsubscribe("jane@example.com", str(number)))[0] == 200
        assert send(port, twilio("STOP", "+14155550123", "SM1"))[0] == 200
        assert send(port, shopify("nobody/knows", "1", {"id": 1}))[0] == 200
        refused = twilio("STOP", "+14155550123", "SM2")
        assert send(port, Request(refused.path, refused.body + b"&x=1", refused.headers))[0] == 403
    found = list(arrivals.since(home.landing, datetime.now(UTC)))
    assert {(one.platform, one.topic): one.count for one in found} == {
        ("klaviyo", "event:klaviyo.unsubscribed_from_email_marketing"): 3,
        ("twilio", "message.stop"): 1,
        ("shopify", UNKNOWN): 1,
    }
    assert all(one.first <= one.last <= datetime.now(UTC) for one in found)
    text = "".join(path.read_text() for path in (home.landing / "arrivals").iterdir())
    assert "example" not in text
    assert "4155550123" not in text


def test_the_book_is_written_while_the_receiver_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "FLUSH_SECONDS", 0.02)
    home = make_home(tmp_path)
    with serving(app(home)) as port:
        for number in (1, 2):
            send(port, twilio("STOP", "+14155550123", f"SM{number}"))
            deadline = time.monotonic() + 5
            while sum(one.count for one in arrivals.since(home.landing, NOW)) < number:
                assert time.monotonic() < deadline
                time.sleep(0.01)


def test_two_receivers_and_a_restart_add_up(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    with serving(app(home)) as one, serving(app(home)) as two:
        for port in (one, two):
            send(port, twilio("STOP", "+14155550123", f"SM{port}"))
    with serving(app(home)) as port:
        send(port, twilio("STOP", "+14155550123", "SM3"))
    assert sum(one.count for one in arrivals.since(home.landing, datetime.now(UTC))) == 3


def test_a_book_that_cannot_be_written_costs_no_webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "FLUSH_SECONDS", 0.01)
    home = make_home(tmp_path)
    (home.landing / "arrivals").write_text("a file in the folder's place")
    with serving(app(home)) as port:
        for number in range(5):
            assert send(port, twilio("STOP", "+14155550123", f"SM{number}"))[0] == 200
            time.sleep(0.02)


def test_days_that_are_over_leave_the_book_and_then_the_disk(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    kept = Arrivals(landing)
    today = datetime.now(UTC)
    for days in (90, 1, 0):
        kept.note("shopify", "main", "orders/create", today - timedelta(days=days))
    kept._write(kept._drafts())
    kept.note("shopify", "main", "orders/create", today)
    kept._write(kept._drafts())
    counts = {path.name[:10]: json.loads(path.read_text())[0]["count"] for path in kept.folder.iterdir()}
    assert counts[f"{today:%Y-%m-%d}"] == 2
    assert counts[f"{today - timedelta(days=1):%Y-%m-%d}"] == 1
    assert len(counts) == 3
    arrivals.forget(kept.folder)
    assert len(list(kept.folder.iterdir())) == 2


# --- the rule -------------------------------------------------------------------------------------------------------


def test_a_shop_that_sleeps_at_night_is_silent_only_when_it_sleeps_on(tmp_path: Path) -> None:
    """Open from 8 to 22 each day: the usual pause is ten hours, so twenty are too many."""
    open_ = list(daily(14, range(8, 23), until=NOW - timedelta(days=1)))
    newest = max(one.last for one in open_)
    assert not feed(tmp_path / "a", open_, newest + timedelta(hours=20)).silent
    told = feed(tmp_path / "b", open_, newest + timedelta(hours=21))
    assert told.silent
    assert "usual is up to 20 hours" in told.verdict(newest + timedelta(hours=21))
    assert "silent_after_hours under [sources.shopify.main]" in told.verdict(newest + timedelta(hours=21))


def test_one_former_outage_does_not_deafen_the_rule(tmp_path: Path) -> None:
    outage = (NOW - timedelta(days=8), NOW - timedelta(days=4))
    found = [one for one in daily(20, range(24)) if not outage[0] < one.first < outage[1]]
    assert rhythm(found) == 2 * timedelta(hours=1)


def test_a_busy_feed_gets_an_hour(tmp_path: Path) -> None:
    found = [
        arrived(NOW - timedelta(hours=hour, minutes=59), until=NOW - timedelta(hours=hour, minutes=1), count=500)
        for hour in range(24 * 10)
    ]
    assert rhythm(found) == FLOOR
    assert not feed(tmp_path, found, NOW + timedelta(minutes=50)).silent


@pytest.mark.parametrize(
    "found", [[], list(daily(3, range(24))), list(daily(14, [9]))], ids=["nothing", "too young", "too few"]
)
def test_a_feed_without_a_rhythm_raises_no_alarm(tmp_path: Path, found: list[Arrived]) -> None:
    told = feed(tmp_path, found, NOW + timedelta(days=5))
    assert (told.silent, told.limit) == (False, None)


def test_a_setting_replaces_the_rule(tmp_path: Path) -> None:
    found = list(daily(14, range(24)))
    assert feed(tmp_path / "a", found, NOW + timedelta(hours=3)).silent
    assert not feed(tmp_path / "b", found, NOW + timedelta(hours=3), silent_after_hours="4").silent
    assert feed(tmp_path / "c", found, NOW + timedelta(hours=5), silent_after_hours="4").silent
    assert not feed(tmp_path / "d", found, NOW + timedelta(days=20), silent_after_hours="0").silent
    assert feed(tmp_path / "e", [], silent_after_hours="4").verdict(NOW).startswith("silent: nothing has come yet")


@pytest.mark.parametrize("wrong", ["soon", "-1", "nan", "inf"])
def test_a_wrong_setting_is_named(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="silent_after_hours"):
        feed(tmp_path, [], silent_after_hours=wrong)


def test_only_the_window_and_the_past_count(tmp_path: Path) -> None:
    old = list(daily(10, range(24), until=NOW - WINDOW - timedelta(days=2)))
    coming = [arrived(NOW + timedelta(hours=1))]
    told = feed(tmp_path, [*old, *coming])
    assert (told.arrived, told.last) == (0, None)


def test_the_newest_of_each_topic_is_told(tmp_path: Path) -> None:
    told = feed(
        tmp_path, [arrived(NOW - timedelta(days=1)), arrived(NOW, "orders/paid"), arrived(NOW, "orders/create")]
    )
    assert told.topics == {"orders/create": NOW, "orders/paid": NOW}
    assert told.last == NOW


@given(st.lists(st.integers(0, 28 * 24 * 60), min_size=1, max_size=200), st.randoms())
def test_the_rhythm_depends_neither_on_order_nor_on_topics(minutes: list[int], random: object) -> None:
    found = [arrived(NOW - timedelta(minutes=minute), f"topic {minute % 3}") for minute in minutes]
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    limit = rhythm(found)
    assert rhythm(shuffled) == limit == rhythm([*found, *found])
    assert limit is None or FLOOR <= limit <= 2 * WINDOW


def test_a_home_that_was_never_called_has_quiet_feeds(tmp_path: Path) -> None:
    [told] = feeds(Home(tmp_path).landing, [account()], NOW)
    assert (told.silent, told.arrived) == (False, 0)
