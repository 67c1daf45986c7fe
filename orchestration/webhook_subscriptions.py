"""`audiences webhooks list|register|check`: what the platforms are set to send, and what really came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from dlt_sources import registry
from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError, NotOffered, PlatformError
from dlt_sources.platform import Platform
from dlt_sources.subscriptions import Subscription
from orchestration import console
from orchestration.home import Home
from orchestration.landing import settings, silence
from orchestration.landing.silence import Feed

#: The setting of an account whose subscriptions are nobody's business here: set elsewhere, or not to be had.
SETTING, BY_HAND = "webhooks", "by hand"


@dataclass(slots=True)
class Told:
    """What one account's platform told; `trouble` is why it told nothing, `by_hand` what its API cannot do."""

    account: str
    address: str
    wanted: list[str] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    trouble: str = ""
    by_hand: str = ""

    def document(self) -> dict[str, object]:
        """What is printed: addresses without what they may hold in secret."""
        shown = [
            {"topic": one.topic, "address": _without_secrets(one.address), "active": one.active, "detail": one.detail}
            for one in self.subscriptions
        ]
        named = {"account": self.account, "address": self.address, "trouble": self.trouble, "by_hand": self.by_hand}
        return {**named, "subscriptions": shown}


@dataclass(slots=True)
class Checked:
    """One account's webhooks held against what is declared and what came; `problems` say what to do.

    `listed` is False where the platform could not show its subscriptions; then only what came speaks.
    """

    account: str
    address: str
    listed: bool
    missing: list[str]
    inactive: list[str]
    problems: list[str]
    by_hand: str
    arrived: int
    newest: dict[str, datetime]
    feed: str


def list_all(names: Sequence[str], *, as_json: bool) -> int:
    """Print every subscription that the platforms show; 1 when one could not be asked."""
    base = settings.public_url(Home.current().folder)
    told = [_ask("listed", platform, account, base) for platform, account in _chosen(names)]
    rows = [
        (one.account, each.topic, _without_secrets(each.address), each.active, each.detail)
        for one in told
        for each in one.subscriptions
    ]
    _print(told, "Subscriptions", ["account", "topic", "address", "active", "detail"], rows, as_json=as_json)
    return 1 if any(one.trouble for one in told) else 0


def register(names: Sequence[str], *, url: str, as_json: bool) -> int:
    """Subscribe our address wherever a wanted topic lacks it; 1 when a platform refused."""
    base = _base(url)
    told = [_ask("register", platform, account, base) for platform, account in _chosen(names)]
    rows = [(one.account, each.topic, each.address) for one in told for each in one.subscriptions]
    _print(told, "Subscribed now", ["account", "topic", "address"], rows, as_json=as_json)
    return 1 if any(one.trouble for one in told) else 0


def check(names: Sequence[str], *, url: str, as_json: bool) -> int:
    """Hold declared topics, subscriptions and arrivals against each other; 1 when something is missing."""
    now, base, chosen = datetime.now(UTC), _base(url), _chosen(names)
    feeds = silence.feeds(Home.current().landing, [account for _, account in chosen], now)
    found = [
        _checked(platform, _ask("listed", platform, account, base), feed, now)
        for (platform, account), feed in zip(chosen, feeds, strict=True)
    ]
    if as_json:
        console.print_json(found)
    else:
        columns = ["account", "webhooks", f"came in {silence.WINDOW.days} days", "newest"]
        rows = [(one.account, "missing" if one.problems else "in order", one.arrived, one.feed) for one in found]
        console.out.print(console.table("Webhooks", columns, rows))
        for one in found:
            if one.by_hand and (one.problems or not one.listed):
                console.out.print(f"{one.account}: {one.by_hand}")
            for problem in one.problems:
                console.err.print(f"{one.account}: {problem}")
    return 1 if any(one.problems for one in found) else 0


def _checked(platform: Platform, told: Told, feed: Feed, now: datetime) -> Checked:
    mine = [one for one in told.subscriptions if one.reaches(told.address)]
    active, there = {one.topic for one in mine if one.active}, {one.topic for one in mine}
    missing = [topic for topic in told.wanted if topic not in there]
    inactive = [topic for topic in told.wanted if topic in there - active]
    elsewhere = f'Or write {SETTING} = "{BY_HAND}" under [sources.{told.account.replace(":", ".")}].'
    problems = [f"{told.trouble} {elsewhere}"] if told.trouble else []
    if missing:
        problems.append(
            f"nothing sends {', '.join(missing)} to {told.address}: run `audiences webhooks register {told.account}`. "
            f"{elsewhere}"
        )
    if inactive:
        why = "; ".join(sorted({one.detail for one in mine if not one.active and one.detail}))
        problems.append(
            f"paused or incomplete at {platform.title}: {', '.join(inactive)}{f' ({why})' if why else ''}. "
            "Switch them on there, or delete them there and register again."
        )
    if feed.silent:
        problems.append(feed.verdict(now))
    return Checked(
        account=told.account,
        address=told.address,
        listed=bool(told.wanted),
        missing=missing,
        inactive=inactive,
        problems=problems,
        by_hand=told.by_hand,
        arrived=feed.arrived,
        newest=dict(feed.topics),
        feed=feed.verdict(now),
    )


def _ask(what: Literal["listed", "register"], platform: Platform, account: Account, base: str) -> Told:
    """Ask a platform: a refusal is trouble, what its API cannot do is a note, and the others are asked all the same."""
    told = Told(account.key, f"{base}{platform.path or f'/webhooks/{account.platform}/{account.name}'}")
    if account.get(SETTING) == BY_HAND:
        told.by_hand = f'Its subscriptions are looked after elsewhere ({SETTING} = "{BY_HAND}").'
        return told
    if not platform.has("subscriptions"):
        told.by_hand = _by_hand(platform, told.address)
        return told
    api = platform.subscriptions
    told.by_hand = api.BY_HAND
    try:
        if what == "register":
            told.subscriptions = list(api.register(account, told.address))
        else:
            told.wanted, told.subscriptions = list(api.wanted(account)), list(api.listed(account))
    except NotOffered as error:
        told.by_hand = str(error)
    except (PlatformError, ConfigurationError) as error:
        told.trouble = str(error)
    return told


def _chosen(names: Sequence[str]) -> list[tuple[Platform, Account]]:
    """The accounts named, or every configured one whose platform sends webhooks."""
    known = {
        account.key: (platform, account)
        for account in registry.configured()
        if (platform := registry.platform(account.platform)).has("webhook")
    }
    if unknown := [name for name in names if name not in known]:
        raise ConfigurationError(
            f"No account {', '.join(unknown)} sends webhooks; there are {', '.join(known) or 'none configured'}."
        )
    return [known[name] for name in names] if names else list(known.values())


def _base(url: str) -> str:
    base = url.rstrip("/") or settings.public_url(Home.current().folder)
    if not base:
        raise ConfigurationError(
            "Platforms need an address to call: write public_url under [receiver] in .dlt/config.toml, or give --url."
        )
    return base


def _by_hand(platform: Platform, address: str) -> str:
    if not platform.signed:
        return "Who calls its URL cannot be listed; `audiences webhooks tokens` shows the tokens."
    topics = ", ".join(topic.topic for topic in platform.topics)
    return f"Subscribe {address} by hand to {topics} ({platform.documentation})."


def _without_secrets(address: str) -> str:
    """An address without its password and its query."""
    parts = urlsplit(address)
    query = "..." if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def _print(
    told: Sequence[Told], title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, as_json: bool
) -> None:
    if as_json:
        console.print_json([one.document() for one in told])
        return
    console.out.print(console.table(title, columns, rows) if rows else f"{title}: none.")
    for one in told:
        if one.by_hand:
            console.out.print(f"{one.account}: {one.by_hand}")
        if one.trouble:
            console.err.print(f"{one.account}: {one.trouble}")
