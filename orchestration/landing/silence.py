"""Silent feeds: accounts whose webhooks have stopped, told from their own rhythm.

The rule: a feed is silent once nothing has come for twice the second-longest pause of its last 28 days, and never
sooner than an hour. The second-longest, because the longest may have been an outage. A feed younger than a week has no
rhythm yet. `silent_after_hours` of an account replaces the rule; 0 switches it off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from orchestration.landing import arrivals
from orchestration.landing.arrivals import Arrived

WINDOW, YOUNGEST, FLOOR = timedelta(days=28), timedelta(days=7), timedelta(hours=1)
FEWEST = 20
SETTING = "silent_after_hours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One account's webhooks: how many came in the window, when the last of each topic came, and the verdict.

    `limit` is how long it may be quiet (None: nothing is expected of it yet, or ever).
    """

    platform: str
    account: str
    arrived: int
    topics: Mapping[str, datetime]
    limit: timedelta | None
    set_by_hand: bool
    silent: bool

    @property
    def last(self) -> datetime | None:
        """When the newest webhook came."""
        return max(self.topics.values(), default=None)

    def verdict(self, now: datetime) -> str:
        """The state in words, with what to do where it is silent."""
        quiet = f"nothing for {_words(now - self.last)}" if self.last else "nothing has come yet"
        if self.silent:
            usual = "allowed" if self.set_by_hand else "usual"
            return (
                f"silent: {quiet}, {usual} is up to {_words(self.limit or FLOOR)}. Run `audiences webhooks check`; "
                f"if this pause is in order, set {SETTING} under [sources.{self.platform}.{self.account}]."
            )
        if self.limit is None:
            return f"{quiet}; no rhythm yet" if not self.set_by_hand else f"{quiet}; not watched"
        return f"{quiet}; silent after {_words(self.limit)}"


def feeds(landing: Path, accounts: Sequence[Account], now: datetime) -> list[Feed]:
    """The feed of each account, from what the receivers noted; reads a few small files and no webhook."""
    mine: dict[tuple[str, str], list[Arrived]] = defaultdict(list)
    for one in arrivals.since(landing, now - WINDOW):
        if one.last <= now:
            mine[one.platform, one.account].append(one)
    return [_feed(account, mine[account.platform, account.name], now) for account in accounts]


def rhythm(found: Iterable[Arrived]) -> timedelta | None:
    """How long a feed with these arrivals may be quiet; None while they are too few or too young."""
    spans = sorted((one.first, one.last) for one in found)
    if not spans or max(last for _, last in spans) - spans[0][0] < YOUNGEST:
        return None
    pauses, reached = [], spans[0][1]
    for first, last in spans[1:]:
        if first > reached:
            pauses.append(first - reached)
        reached = max(reached, last)
    second = sorted(pauses)[-2] if len(pauses) > 1 else timedelta(0)
    return max(FLOOR, 2 * second)


def _feed(account: Account, found: Sequence[Arrived], now: datetime) -> Feed:
    topics: dict[str, datetime] = {}
    for one in found:
        topics[one.topic] = max(topics.get(one.topic, one.last), one.last)
    arrived, last = sum(one.count for one in found), max(topics.values(), default=None)
    allowed = _setting(account)
    limit = allowed if allowed is not None else rhythm(found) if arrived >= FEWEST else None
    if limit == timedelta(0):
        limit = None
    return Feed(
        platform=account.platform,
        account=account.name,
        arrived=arrived,
        topics=dict(sorted(topics.items())),
        limit=limit,
        set_by_hand=allowed is not None,
        silent=limit is not None and (last is None or now - last > limit),
    )


def _setting(account: Account) -> timedelta | None:
    text = account.get(SETTING)
    try:
        hours = float(text) if text else None
        allowed = None if hours is None else timedelta(hours=hours)
    except (ValueError, OverflowError):
        allowed = timedelta(-1)
    if allowed is not None and allowed < timedelta(0):
        raise ConfigurationError(
            f"{SETTING} under [sources.{account.platform}.{account.name}] is {text!r}: write a number of hours, "
            "0 for never."
        )
    return allowed


def _words(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    if hours < 2:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
