"""The alarm for webhooks that have stopped, as Dagster runs it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity, AssetKey, DagsterInstance, SensorResult, SkipReason
from dagster import build_sensor_context as context_of

from orchestration.feeds import CHECK, silent_feeds, webhook_feeds
from orchestration.home import Home
from tests.landing.senders import make_home
from tests.platforms.servers import answering

NOW = datetime.now(UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = make_home(tmp_path)
    monkeypatch.setenv("AUDIENCES_HOME", str(made.folder))
    monkeypatch.delenv("AUDIENCES_ALERT_URL", raising=False)
    return made


def hourly(home: Home, platform: str, *, until: datetime) -> None:
    """A webhook an hour for ten days."""
    folder = home.landing / "arrivals"
    folder.mkdir(exist_ok=True)
    days: dict[str, list[dict[str, object]]] = {}
    for hour in range(240):
        at = until - timedelta(hours=hour)
        row = {"platform": platform, "account": "main", "topic": "unknown", "count": 1}
        days.setdefault(f"{at:%Y-%m-%d}", []).append({**row, "first": at.timestamp(), "last": at.timestamp()})
    for day, rows in days.items():
        (folder / f"{day}.{platform}.json").write_text(json.dumps(rows))


def ticked(cursor: str | None = None) -> SensorResult | SkipReason:
    result = silent_feeds(context_of(cursor=cursor))
    assert isinstance(result, SensorResult | SkipReason)
    return result


def told(home: Home) -> list[str]:
    path = home.data / "alerts.jsonl"
    return [json.loads(line)["text"] for line in path.read_text().splitlines()] if path.exists() else []


def test_a_feed_that_falls_silent_is_told_once_logged_ever_after_and_untold_when_it_speaks(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    hourly(home, "shopify", until=NOW - timedelta(hours=5))
    hourly(home, "klaviyo", until=NOW)
    first = ticked()
    assert isinstance(first, SensorResult)
    [event] = first.asset_events
    assert isinstance(event, AssetCheckEvaluation)
    assert (event.asset_key, event.check_name) == (AssetKey(["raw", "shopify", "webhooks"]), CHECK)
    assert (event.passed, event.severity) == (False, AssetCheckSeverity.WARN)
    assert "audiences webhooks check" in str(event.metadata["what to do"].value)
    [alert] = told(home)
    assert alert.startswith("Webhooks of shopify:main: silent: nothing for 5 hours, usual is up to 2 hours")
    assert [record.levelname for record in caplog.records if "shopify:main" in record.getMessage()] == ["ERROR"]

    caplog.clear()
    again = ticked(first.cursor)
    assert isinstance(again, SkipReason)
    assert len(told(home)) == 1
    assert "shopify:main" in caplog.text

    hourly(home, "shopify", until=NOW)
    back = ticked(first.cursor)
    assert isinstance(back, SensorResult)
    [event] = back.asset_events
    assert isinstance(event, AssetCheckEvaluation)
    assert event.passed
    assert isinstance(ticked(back.cursor), SkipReason)


def test_the_verdict_enters_the_checks_history_without_a_run(home: Home) -> None:
    hourly(home, "shopify", until=NOW - timedelta(hours=5))
    result = ticked()
    assert isinstance(result, SensorResult)
    with DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(result.asset_events[0])


def test_the_check_of_a_run_says_the_same_and_only_warns(home: Home) -> None:
    hourly(home, "shopify", until=NOW - timedelta(hours=5))
    results = {result.asset_key: result for result in webhook_feeds()}  # type: ignore[attr-defined]
    silent = results[AssetKey(["raw", "shopify", "webhooks"])]
    assert (silent.passed, silent.severity, silent.metadata["silent"].value) == (False, AssetCheckSeverity.WARN, 1)
    assert all(result.passed for key, result in results.items() if key.path[1] != "shopify")


def test_an_open_warehouse_does_not_stop_the_alarm(home: Home) -> None:
    hourly(home, "shopify", until=NOW - timedelta(hours=5))
    home.data.mkdir(exist_ok=True)
    with duckdb.connect(str(home.warehouse)):
        assert isinstance(ticked(), SensorResult)


def test_one_wrong_setting_leaves_the_others_heard(home: Home) -> None:
    config = home.folder / ".dlt" / "config.toml"
    text = config.read_text().replace(
        "[sources.klaviyo.main]\n", '[sources.klaviyo.main]\nsilent_after_hours = "soon"\n'
    )
    config.write_text(text)
    hourly(home, "shopify", until=NOW - timedelta(hours=5))
    results = {result.asset_key.path[1]: result for result in webhook_feeds()}  # type: ignore[attr-defined]
    assert (results["shopify"].passed, results["klaviyo"].passed, results["twilio"].passed) == (False, False, True)
    assert "silent_after_hours" in str(results["klaviyo"].metadata["what to do"].value)


def test_an_alert_address_that_fails_costs_neither_the_line_nor_the_tick(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly(home, "shopify", until=NOW - timedelta(hours=5))
    with answering() as (url, say):
        say.status = 500
        monkeypatch.setenv("AUDIENCES_ALERT_URL", f"{url}/?key=secret")
        result = ticked()
    assert len(say.calls) == 1
    assert isinstance(result, SensorResult)
    assert len(told(home)) == 1
