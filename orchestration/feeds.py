"""The alarm for webhooks that have stopped: a check per platform, and a sensor that needs no run.

Both read the receivers' book of arrivals (`landing/silence.py` has the rule); neither opens the warehouse, holds a plan
or touches a removal.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import requests
from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    DefaultSensorStatus,
    MetadataValue,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    multi_asset_check,
    sensor,
)

from dlt_sources import registry
from dlt_sources.errors import ConfigurationError
from orchestration import alerts
from orchestration.console import markdown_table
from orchestration.home import Home
from orchestration.ingestion import raw_key
from orchestration.landing import silence
from orchestration.landing.endpoints import Endpoints
from orchestration.landing.silence import Feed

CHECK = "webhooks_still_come"
_LISTENING = [platform for platform in registry.all_platforms() if platform.has("webhook")]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A platform's feeds at one moment; `wrong` are settings that cannot be read."""

    platform: str
    at: datetime
    feeds: Sequence[Feed]
    wrong: Sequence[str]

    @property
    def alive(self) -> bool:
        """True when nothing is to be told."""
        return not self.wrong and not any(feed.silent for feed in self.feeds)

    def metadata(self) -> dict[str, MetadataValue[Any] | int | str]:
        """What the check shows: a line per account, and what to do."""
        rows = [
            (feed.account, feed.arrived, feed.last or "never", feed.verdict(self.at).partition(".")[0])
            for feed in self.feeds
        ]
        columns = ["account", f"came in {silence.WINDOW.days} days", "newest", "state"]
        silent = [feed.verdict(self.at) for feed in self.feeds if feed.silent]
        return {
            "feeds": MetadataValue.md(markdown_table(columns, rows)),
            "silent": sum(feed.silent for feed in self.feeds),
            "what to do": "\n".join([*silent, *self.wrong]) or "nothing",
        }


@multi_asset_check(
    name="webhook_feeds",
    specs=[
        AssetCheckSpec(
            CHECK,
            asset=raw_key(platform.name, "webhooks"),
            description=(
                f"{platform.title} still sends webhooks: nothing is quiet for longer than twice the second-longest "
                "pause of its last 28 days."
            ),
        )
        for platform in _LISTENING
    ],
)
def webhook_feeds() -> Iterator[AssetCheckResult]:
    """Judge every platform's feeds; a silent one warns and holds nothing."""
    for heard in _hear(Home.current()):
        yield AssetCheckResult(
            check_name=CHECK,
            asset_key=raw_key(heard.platform, "webhooks"),
            passed=heard.alive,
            severity=AssetCheckSeverity.WARN,
            metadata=heard.metadata(),
        )


@sensor(
    minimum_interval_seconds=300,
    default_status=DefaultSensorStatus.RUNNING,
    description="Tells people when an account's webhooks have stopped, also while no run takes place.",
)
def silent_feeds(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """Log every silent feed as an error; when one falls silent or speaks again, tell people and the check's history."""
    home, told = Home.current(), set(orjson.loads(context.cursor or "[]"))
    now: set[str] = set()
    changed: list[AssetCheckEvaluation] = []
    for heard in _hear(home):
        silent = {f"{feed.platform}:{feed.account}": feed.verdict(heard.at) for feed in heard.feeds if feed.silent}
        for key, text in silent.items():
            _log.error("%s: %s", key, text)
            context.log.error(f"{key}: {text}")
            if key not in told:
                _tell(context, home, f"Webhooks of {key}: {text}", key)
        for text in heard.wrong:
            context.log.error(text)
        mine = {key for key in told if key.partition(":")[0] == heard.platform}
        now |= silent.keys()
        if mine != silent.keys():
            changed.append(_evaluation(heard))
    if not changed:
        return SkipReason(f"{len(now)} feeds are silent." if now else "Every feed is as lively as usual.")
    return SensorResult(asset_events=changed, cursor=orjson.dumps(sorted(now)).decode())


def _hear(home: Home) -> Iterator[_Heard]:
    """Every platform's feeds now; one broken setting leaves the others heard."""
    at = datetime.now(UTC)
    accounts = [endpoint.account for endpoint in Endpoints.load(home.folder).by_name.values()]
    for platform in _LISTENING:
        feeds: list[Feed] = []
        wrong: list[str] = []
        for account in accounts:
            if account.platform == platform.name:
                try:
                    feeds += silence.feeds(home.landing, [account], at)
                except ConfigurationError as error:
                    wrong.append(str(error))
        yield _Heard(platform.name, at, feeds, wrong)


def _evaluation(heard: _Heard) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=raw_key(heard.platform, "webhooks"),
        check_name=CHECK,
        passed=heard.alive,
        severity=AssetCheckSeverity.WARN,
        metadata=heard.metadata(),
    )


def _tell(context: SensorEvaluationContext, home: Home, text: str, account: str) -> None:
    try:
        alerts.tell(home, text, account=account)
    except requests.RequestException as error:
        # Its text names the address, which may hold a secret.
        context.log.warning(f"AUDIENCES_ALERT_URL took no alert ({type(error).__name__}); it is in alerts.jsonl.")
