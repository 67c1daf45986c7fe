"""`audiences suppress` and `audiences lift`: reading who is meant, and saying what came of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Identifier
from orchestration import console
from orchestration.activation import blocking, catalogue
from orchestration.activation.blocking import Blocked, Lifted
from orchestration.activation.reasons import meanings
from orchestration.activation.speed_lane import Worker
from orchestration.activation.state import State
from orchestration.home import Home
from orchestration.landing.by_hand import ACTS, Act, Order

Channel = Literal["*", "email", "sms"]
_KIND = {"email": "email", "sms": "phone"}
_TOLD_LINES = 10


def suppress(
    named: Sequence[str],
    file: Path | None,
    *,
    channel: Channel,
    topic: str,
    actor: str,
    reason: str,
    as_json: bool,
) -> int:
    """Block whoever is named, at once; 1 when a line could not be read or a call was given up."""
    home, order = Home.current(), _order("suppress", channel, topic, actor, reason)
    identifiers, unread = _identifiers(named, file, channel)
    state = State.of(home)
    worker = Worker.of(home, state)
    try:
        blocked = blocking.suppress(worker, order, identifiers, progress=None if as_json else _progress)
    finally:
        worker.close()
        state.close()
    if as_json:
        console.print_json({**asdict(blocked), "unread_lines": unread})
    else:
        _print_blocked(blocked, order, unread)
    return 1 if unread or any("dead" in states for states in blocked.calls.values()) else 0


def lift(
    named: Sequence[str],
    file: Path | None,
    *,
    channel: Channel,
    topic: str,
    actor: str,
    reason: str,
    as_json: bool,
) -> int:
    """Lift blocks by hand with the next build; 1 when a line could not be read or nothing was there to lift."""
    home, order = Home.current(), _order("lift", channel, topic, actor, reason)
    identifiers, unread = _identifiers(named, file, channel)
    state = State.of(home)
    try:
        lifted = blocking.lift(home, state, order, identifiers)
    finally:
        state.close()
    if as_json:
        console.print_json({**asdict(lifted), "unread_lines": unread})
    else:
        _print_lifted(home, lifted, order, unread)
    return 1 if unread or not lifted.identifiers else 0


def _order(act: Act, channel: Channel, topic: str, actor: str, reason: str) -> Order:
    """The order; ConfigurationError for a topic that no audience asks about, since it would block nothing."""
    if not actor.strip() or not reason.strip():
        raise ConfigurationError("--actor and --reason must say who does this and why: both are kept.")
    known = {audience.topic for audience in catalogue.read(Home.current()).audiences}
    if topic not in ("*", *known):
        listed = ", ".join(sorted(known)) or "none yet"
        raise ConfigurationError(f"No audience has the topic {topic!r}; known are {listed}. Without --topic: all.")
    return Order(
        act=act, channel=channel, topic=topic, actor=actor.strip(), reason=reason.strip(), at=datetime.now(UTC)
    )


def _identifiers(named: Sequence[str], file: Path | None, channel: Channel) -> tuple[list[Identifier], list[int]]:
    """Everybody meant, once, and the numbers of the entries that name nobody on that channel.

    Raises ConfigurationError when nobody is named.
    """
    found: dict[Identifier, None] = {}
    unread = []
    for number, text in enumerate(_entries(named, file), 1):
        entry = text.strip()
        if not entry or entry.startswith("#"):
            continue
        identifier = blocking.identified(entry)
        if identifier is None or _KIND.get(channel, identifier.kind) != identifier.kind:
            unread.append(number)
        else:
            found[identifier] = None
    if not found:
        raise ConfigurationError(
            "Nobody is named: give e-mail addresses or phone numbers with their country code (+1 ...) that the channel "
            "reaches, as arguments, one a line in --file, or one a line on standard input (-)."
        )
    return list(found), unread


def _entries(named: Sequence[str], file: Path | None) -> Iterator[str]:
    for text in named:
        if text == "-":
            yield from sys.stdin
        else:
            yield text
    if file is not None:
        try:
            with file.open(encoding="utf-8-sig") as lines:
                yield from lines
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file.name} cannot be read ({type(error).__name__}).") from None


def _progress(done: int) -> None:
    if done % (20 * ACTS) == 0:
        console.err.print(f"  {done:,} blocked")


def _scope(order: Order) -> str:
    channel = "every channel" if order.channel == "*" else order.channel
    return channel if order.topic == "*" else f"{channel}, topic {order.topic}"


def _print_blocked(blocked: Blocked, order: Order, unread: Sequence[int]) -> None:
    out = console.out
    out.print(f"Blocked {blocked.identifiers:,} on {_scope(order)}: nobody is added from now on.")
    words = {"remove": "removals at destinations", "suppress": "withdrawals at destinations"}
    for operation, states in blocked.calls.items():
        told = [f"{count:,} {_STATES.get(state, state)}" for state, count in sorted(states.items(), reverse=True)]
        out.print(f"  {words.get(operation, operation)}: {', '.join(told)}")
    if any("due" in states for states in blocked.calls.values()):
        out.print("  The speed lane makes the calls that are owed; `audiences status` shows how many are left.")
    _print_unread(unread)


_STATES = {"done": "made", "due": "owed still", "dead": "given up (see the log)"}


def _print_lifted(home: Home, lifted: Lifted, order: Order, unread: Sequence[int]) -> None:
    out = console.out
    out.print(f"Lifted {lifted.identifiers:,} on {_scope(order)}: takes effect with the next build (audiences run).")
    if lifted.without_block:
        out.print(f"  {lifted.without_block:,} had no standing block by hand of that scope.")
    if lifted.withdrawn_calls:
        out.print(f"  {lifted.withdrawn_calls:,} withdrawals that were still owed are not written any more.")
    known = meanings(home, list(lifted.still))
    for code, count in lifted.still.items():
        out.print(f"  still out: {code}, {count:,}: {known.get(code, '')}")
    for kind, count in lifted.waiting.items():
        out.print(f"  still blocked until a build knows it: {kind}, {count:,}")
    out.print("  Withdrawals that the block wrote stay at the platforms, which hold their own messages back until the")
    out.print("  person consents there anew; mend them there by hand if the block was a mistake.")
    _print_unread(unread)


def _print_unread(unread: Sequence[int]) -> None:
    if unread:
        shown = ", ".join(map(str, unread[:_TOLD_LINES])) + (" ..." if len(unread) > _TOLD_LINES else "")
        console.err.print(
            f"{len(unread):,} entries are no e-mail address and no phone number with its country code that this "
            f"channel reaches: entries {shown}. All others are done.",
            style="red",
        )
