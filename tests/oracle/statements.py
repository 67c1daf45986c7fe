"""Section 2, rules 3 to 8: from facts to statements with intervals, each act once and no echo among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestration.deciding.cases import Event, Review, Status, Text, Write
from tests.oracle import assumed
from tests.oracle.identity import Identity
from tests.oracle.rules import Rules
from tests.oracle.statement import GRANTS, Statement
from tests.oracle.times import LOW, Interval
from tests.oracle.vocabulary import PHONES, TEXTS, Reader

#: Day zero of computers and what lies before it stand for a time that nobody knows.
DAY_ZERO = datetime(1970, 1, 2, tzinfo=UTC)
#: Suppressions that a person may end after reading what they are about.
REVIEWED_KINDS = frozenset({"manual_block", "legal", "carrier_block"})


def interval(
    at: datetime | None, earliest: datetime | None, latest: datetime | None, recorded: datetime, skew: timedelta
) -> Interval:
    """Rules 4 and 5: an unknown time ends with the receipt, and a time of the future is clamped to the receipt."""
    at, earliest, latest = (None if one is None or one < DAY_ZERO else one for one in (at, earliest, latest))
    lo = at or earliest or LOW
    hi = at or latest or recorded
    limit = recorded + skew
    lo, hi = (recorded if lo > limit else lo), (recorded if hi > limit else hi)
    return Interval(min(lo, hi), hi)


def read(
    facts: Sequence[tuple[Status | Text | Event, Interval, datetime]],
    writes: Sequence[Write],
    reviews: Sequence[Review],
    identity: Identity,
    rules: Rules,
    default_record: str | None,
    echo: timedelta,
) -> list[Statement]:
    """Every statement of a case, in the order of its time; `echo` is how soon after an opt-out a copy is none."""
    reader = Reader(identity, rules, default_record)
    changes = _changes_only(facts)
    said: list[Statement] = []
    for fact, when, recorded in changes:
        if isinstance(fact, Status):
            said += reader.status(fact, when, recorded)
        elif isinstance(fact, Event):
            said += reader.event(fact, when, recorded)
    said += reader.texts([one for one in changes if isinstance(one[0], Text)])
    said = _without_echoes(_unarchived(said), facts, writes, echo)
    said = _without_own_blocks(said, writes, identity)
    return sorted(_reviewed(said, reviews), key=lambda one: (one.when.hi, one.when.lo, one.id, one.state))


def _changes_only(
    facts: Sequence[tuple[Status | Text | Event, Interval, datetime]],
) -> list[tuple[Status | Text | Event, Interval, datetime]]:
    """Rule 7: a boolean without a time of its own is an event only where it differs from what was seen before.

    The first one that says "subscribed" is an import without evidence, unless the fact itself says who acted.
    """
    kept: list[tuple[Status | Text | Event, Interval, datetime]] = []
    seen: dict[tuple[object, ...], list[tuple[Status, Interval, datetime]]] = defaultdict(list)
    for fact, when, recorded in facts:
        if isinstance(fact, Status) and fact.at is None and _word(fact.value) in assumed.BOOLEANS:
            field = fact.field if "=" not in fact.value else fact.value.partition("=")[0]
            subject = (fact.platform, fact.account, fact.record, fact.identifier, field, fact.channel, fact.topic)
            seen[subject].append((fact, when, recorded))
        else:
            kept.append((fact, when, recorded))
    for snapshots in seen.values():
        snapshots.sort(key=lambda one: (one[1].hi, one[2], one[0].value, one[0].id))
        before: tuple[Status, Interval, datetime] | None = None
        for fact, when, recorded in snapshots:
            if before is None or before[0].value != fact.value or before[0].detail != fact.detail:
                if before is None and fact.actor is None:
                    fact = fact.model_copy(update={"actor": "import", "method": fact.method or "import"})
                lo = when.lo if before is None else max(when.lo, before[1].hi)
                kept.append((fact, Interval(min(lo, when.hi), when.hi), recorded))
            before = (fact, when, recorded)
    return kept


def _word(value: str) -> str:
    return value.rpartition("=")[2].strip().casefold()


def _unarchived(said: list[Statement]) -> list[Statement]:
    """Section 1, Mailchimp: archived is the last known state before the archive, else hold."""
    kept = []
    for one in said:
        if one.state != "last_known":
            kept.append(one)
        elif not any(
            (other.platform, other.account) == (one.platform, one.account)
            and other.state not in ("last_known", "unknown", "")
            and not other.nodes.isdisjoint(one.nodes)
            and other.when.hi <= one.when.hi
            for other in said
        ):
            # Rule 9: a list whose id nobody knows is the whole channel.
            kept.append(replace(one, state="hold", topic="*" if one.topic == "?" else one.topic))
    return kept


def _without_echoes(
    said: list[Statement],
    facts: Sequence[tuple[Status | Text | Event, Interval, datetime]],
    writes: Sequence[Write],
    window: timedelta,
) -> list[Statement]:
    """Rule 8: what a write of ours, or another tool's overwriting, brings back is no new act."""
    states = {write.id: write.state for write in writes}
    repeats = {fact.id: fact.write for fact, _, _ in facts if isinstance(fact, Status) and fact.write}
    closed = [one for one in said if one.state == "withdrawn"]
    kept = []
    for one in said:
        write = repeats.get(one.id)
        granted = one.state in GRANTS
        if write and (granted or (one.state == "withdrawn" and states.get(write) == "withdrawn")):
            continue
        if (
            granted
            and one.actor != "customer"
            and one.when.lo != LOW
            and any(
                (other.platform, other.account) != (one.platform, one.account)
                and not other.nodes.isdisjoint(one.nodes)
                and other.when.hi <= one.when.lo <= other.when.hi + window
                for other in closed
            )
        ):
            continue
        kept.append(one)
    return kept


def _without_own_blocks(said: list[Statement], writes: Sequence[Write], identity: Identity) -> list[Statement]:
    """Rule 8: a block that a platform shows when we wrote a withdrawal there is no new act.

    What we had a reason for alone: the reason stands until it is lifted, whatever becomes of its echo.
    """
    reasons = [one for one in said if one.state == "withdrawn" or one.kind in assumed.PUSHED_KINDS]

    def is_ours(block: Statement, write: Write) -> bool:
        there = (block.platform, block.account) == (write.platform, write.account)
        if not there or write.recorded is None or block.target != identity.target(write.identifier):
            return False
        earliest, latest = write.recorded - assumed.CLOCKS_DIFFER, write.recorded + assumed.CARRIED_OUT
        known = write.recorded + timedelta(minutes=5)
        return earliest <= block.when.hi <= latest and any(
            reason.when.hi <= known and not reason.nodes.isdisjoint(block.nodes) for reason in reasons
        )

    written = [write for write in writes if write.state == "withdrawn"]
    return [
        one
        for one in said
        if one.kind != "manual_block" or one.target is None or not any(is_ours(one, write) for write in written)
    ]


def _reviewed(said: list[Statement], reviews: Sequence[Review]) -> Iterable[Statement]:
    """What was held is a withdrawal or nothing once a person has read it; of two verdicts, stop counts."""
    verdicts: dict[str, set[str]] = defaultdict(set)
    for review in reviews:
        verdicts[review.of].add(review.verdict)
    for one in said:
        told = verdicts.get(one.id, set())
        held = one.state == "hold" or one.kind in REVIEWED_KINDS
        if "stop" in told and held:
            channels = TEXTS if one.channels == PHONES else one.channels
            yield replace(one, state="withdrawn", kind="", review_only=False, stop_of=None, channels=channels)
        elif "no_stop" not in told or not held:
            yield one
