"""Section 1: what the platforms' values say, as statements with intervals (section 2, rules 3 to 8 and 10)."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestration.deciding.cases import Event, Review, Status, Text, Write
from tests.oracle import assumed
from tests.oracle.identity import Identity, Node, record_id
from tests.oracle.rules import Row, Rules
from tests.oracle.times import LOW, Interval, plus_months

GRANTS = frozenset({"granted", "granted_confirmed", "granted_implied"})
#: States that close a scope until a later grant reopens it; `hold` waits for a person or for such a grant.
CLOSING = frozenset({"withdrawn", "hold"})
EXPRESS_STATES = frozenset({"granted", "granted_confirmed"})
#: Rule 10: STOP by SMS ends all SMS and MMS marketing.
TEXTS = frozenset({"sms", "mms"})
STOP_FIELDS = frozenset({"keyword", "error", "wording"})
#: Suppressions that a person may end after reading what they are about.
REVIEWED_KINDS = frozenset({"manual_block", "legal", "carrier_block"})
#: An unseen value of a platform is a withdrawal, and no row is dropped.
UNSEEN: Row = {"state": "withdrawn", "suppression_kind": "", "method": "", "scope": "channel_all"}


@dataclass(frozen=True)
class Statement:
    """One thing that was said about one identifier."""

    id: str
    state: str
    kind: str  # of suppression, empty if none
    nodes: frozenset[Node]
    target: str | None
    channels: frozenset[str] | None  # None: every channel
    purpose: str | None
    topic: str
    sender: str
    when: Interval
    recorded: datetime
    platform: str
    account: str
    actor: str
    method: str
    basis: str
    category: str
    evidence: bool
    expires: datetime | None
    stop_of: str | None = None  # the sender whose texts of every purpose a stop word ends
    review_only: bool = False  # held until a person decides, whatever else is said later

    @property
    def closes_from(self) -> datetime:
        """A refusal holds from its earliest possible time, and from its receipt at the latest."""
        return min(self.when.lo, self.recorded)

    @property
    def lifts(self) -> bool:
        """Rule 2: express, by the customer, with evidence."""
        return (
            self.state in EXPRESS_STATES
            and self.basis in ("", "express")
            and self.actor == "customer"
            and self.evidence
        )


def interval(
    at: datetime | None, earliest: datetime | None, latest: datetime | None, recorded: datetime, skew: timedelta
) -> Interval:
    """Rules 4 and 5: an unknown time ends with the receipt, and a time of the future is clamped to the receipt."""
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
    policy: Mapping[str, object],
) -> list[Statement]:
    """Every statement of a case, in the order of its time."""
    reader = _Reader(identity, rules, default_record)
    changes = _changes_only(facts)
    said: list[Statement] = []
    for fact, when, recorded in changes:
        if isinstance(fact, Status):
            said += reader.status(fact, when, recorded)
        elif isinstance(fact, Event):
            said += reader.event(fact, when, recorded)
    said += reader.texts([one for one in changes if isinstance(one[0], Text)])
    said = _without_echoes(_unarchived(said), facts, writes, timedelta(minutes=int(policy["echo_minutes"])))
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
            kept.append(replace(one, state="hold"))
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


def _reviewed(said: list[Statement], reviews: Sequence[Review]) -> Iterable[Statement]:
    """What was held is a withdrawal or nothing once a person has read it; of two verdicts, stop counts."""
    verdicts: dict[str, set[str]] = defaultdict(set)
    for review in reviews:
        verdicts[review.of].add(review.verdict)
    for one in said:
        told = verdicts.get(one.id, set())
        if "stop" in told and one.state not in ("withdrawn", "erased"):
            yield replace(one, state="withdrawn", kind="", review_only=False)
        elif "no_stop" not in told or not (one.state == "hold" or one.kind in REVIEWED_KINDS):
            yield one


class _Reader:
    def __init__(self, identity: Identity, rules: Rules, default_record: str | None) -> None:
        self.identity, self.rules, self.default_record = identity, rules, default_record
        self._implied = {row["basis"]: int(row["period"]) for row in rules.rows("statement_bases") if row["period"]}

    def status(self, fact: Status, when: Interval, recorded: datetime) -> Iterable[Statement]:
        """A platform's value by the vocabulary; an unseen one is a withdrawal (and somebody is told)."""
        row = self._row(fact) or UNSEEN
        state, review_only = _state(row, fact)
        kind = row["suppression_kind"] if state in ("", "erased") else ""
        if not state and not kind:
            return
        scope = row.get("scope") or "channel_all"
        covered = _channels(row.get("channel") or fact.channel or "")
        nodes, target = self._subject(fact.platform, fact.account, fact.record, fact.identifier, when, covered)
        closing = state in CLOSING
        channels = covered
        if closing and scope == "all_channels" and not (review_only and covered):
            channels = None  # unless it is known of which channel the person wrote
        elif covered is None and not closing:
            channels = frozenset()
        elif closing and covered == {"sms"} and fact.field in STOP_FIELDS:
            channels = TEXTS
        basis = fact.basis or ""
        if state in EXPRESS_STATES and basis in ("legitimate_interest", "contract"):
            state = "unknown"
        if state in EXPRESS_STATES and basis in ("implied_purchase", "implied_inquiry", "soft_opt_in"):
            state = "granted_implied"
        expires = fact.expires
        if state == "granted_implied" and expires is None and basis in self._implied:
            expires = plus_months(when.lo, self._implied[basis])
        whole = closing and (scope != "topic" or fact.topic == "?")
        stops = closing and channels == TEXTS and fact.field in STOP_FIELDS
        yield Statement(
            id=fact.id,
            state=state,
            kind=kind,
            nodes=nodes,
            target=target,
            channels=channels,
            purpose=fact.purpose,
            topic="*" if whole else fact.topic,
            sender=fact.sender if not (scope == "sender" and fact.sender == "*") else "?",
            when=when,
            recorded=recorded,
            platform=fact.platform,
            account=fact.account,
            actor=fact.actor or row.get("actor") or "unknown",
            method=fact.method or row["method"] or "",
            basis=basis,
            category=fact.category or "none",
            evidence=fact.evidence or row.get("evidence") == "true",
            expires=expires,
            stop_of=fact.sender if stops else None,
            review_only=review_only,
        )

    def _row(self, fact: Status) -> Row | None:
        fields = self.rules.vocabulary.get((fact.platform, fact.field), {})
        for key in ((fact.value, fact.detail), (fact.value, "*"), ("*", fact.detail), ("*", "*")):
            if key in fields:
                return fields[key]
        return None

    def event(self, fact: Event, when: Interval, recorded: datetime) -> Iterable[Statement]:
        """A purchase or an inquiry implies consent for a time, to mail about it and in Canada alone (section 3)."""
        basis = "implied_purchase" if fact.name in assumed.ORDERS else "implied_inquiry"
        if fact.name not in assumed.ORDERS | assumed.INQUIRIES:
            return
        nodes, target = self._subject(
            fact.platform, fact.account, fact.record, fact.identifier, when, frozenset({"email"})
        )
        yield Statement(
            id=fact.id,
            state="granted_implied",
            kind="",
            nodes=nodes,
            target=target,
            channels=frozenset({"email"}),
            purpose="marketing",
            topic="*",
            sender="*",
            when=when,
            recorded=recorded,
            platform=fact.platform,
            account=fact.account,
            actor="customer",
            method="purchase" if fact.name in assumed.ORDERS else "inquiry",
            basis=basis,
            category="none",
            evidence=False,
            expires=plus_months(when.lo, self._implied[basis]),
        )

    def texts(self, facts: Sequence[tuple[Status | Text | Event, Interval, datetime]]) -> Iterable[Statement]:
        """Text messages, in the order of their time: YES is a start word only after a stop to the same sender."""
        stopped: set[tuple[str | None, str]] = set()
        for fact, when, recorded in sorted(facts, key=lambda one: (one[1].hi, one[1].lo, one[0].id)):
            if not isinstance(fact, Text):
                continue
            nodes, target = self._subject(fact.platform, fact.account, None, fact.identifier, when, frozenset({"sms"}))
            pair = (target, fact.sender)
            state = self.meaning(fact, pair in stopped)
            if state == "withdrawn":
                stopped.add(pair)
            if not state:
                continue
            closing = state in CLOSING
            yield Statement(
                id=fact.id,
                state=state,
                kind="",
                nodes=nodes,
                target=target,
                channels=TEXTS if closing else frozenset({"sms"}),
                purpose=None,
                topic="*",
                sender="*" if closing else fact.sender,
                when=when,
                recorded=recorded,
                platform=fact.platform,
                account=fact.account,
                actor="customer",
                method="keyword",
                basis="",
                category="none",
                evidence=True,
                expires=None,
                stop_of=fact.sender if closing else None,
                review_only=state == "hold",
            )

    def meaning(self, fact: Text, after_stop: bool) -> str:
        """The state that a text message states: a key word alone, or wording that a person has to judge, or nothing."""
        word = re.sub(r"[^A-Z0-9]", "", _plain(fact.body).upper())
        keywords = self.rules.vocabulary.get((fact.platform, "keyword"), {})
        row = keywords.get((word, "after_stop" if after_stop else "*")) or keywords.get((word, "*"))
        if row:
            return row["state"]
        if word in self.rules.stop_words:
            return "withdrawn"
        text = re.sub(r"[^a-z0-9 ]", "", re.sub(r"\s+", " ", _plain(fact.body).lower()))
        patterns = self.rules.vocabulary.get((fact.platform, "wording"), {})
        return "hold" if any(re.search(pattern, text) for pattern, _ in patterns) else ""

    def _subject(
        self,
        platform: str,
        account: str,
        record: str | None,
        identifier: str | None,
        when: Interval,
        channels: frozenset[str] | None,
    ) -> tuple[frozenset[Node], str | None]:
        """The nodes that a statement is about and the narrow key that gave it.

        What is said of a shared address is said of the address, and of none of the records that bear it.
        """
        own = record_id(platform, account, record) if record else None
        if identifier:
            keys = self.identity.keys(identifier, blocking=True)
            alone = own is None or not keys.isdisjoint(self.identity.unjoinable)
            return keys | (frozenset() if alone else {own}), self.identity.target(identifier)  # type: ignore[arg-type]
        name = own or self.default_record
        if name is None:
            return frozenset(), None
        version = self.identity.version(name, when.hi)
        if version is None:
            return frozenset({name}), None
        email = channels is None or "email" in channels
        raw = version.fact.email if email else version.fact.phone
        keys = (
            (self.identity.keys(raw, blocking=True) if raw and email else version.own - _emails(version.own))
            if raw
            else frozenset()
        )
        shared = bool(keys) and not keys.isdisjoint(self.identity.unjoinable)
        return keys | (frozenset() if shared else {name}), (version.email if email else version.phone)


def _emails(keys: frozenset[str]) -> frozenset[str]:
    return frozenset(key for key in keys if not key.startswith("phone:"))


def _state(row: Row, fact: Status) -> tuple[str, bool]:
    """The state that a row of the vocabulary gives, and whether only a person may end it.

    What the person wrote is held until somebody has read it; a platform's silence may be ended by a later grant.
    """
    if fact.value in assumed.DELIVERED_VALUES and not row["state"] and not row["suppression_kind"]:
        return "delivered", False
    if fact.field == "wording" or row["suppression_kind"] == "held_for_review":
        return "hold", True
    state = row["state"].replace("*", "")
    if row["suppression_kind"] and state != "erased":
        return "", False
    return state, state == "hold" and row.get("actor") == "customer"


def _channels(told: str) -> frozenset[str] | None:
    """Channels of a row or a fact, `;` or `+` between them; None for all."""
    parts = [part for part in re.split(r"[;+| ]", told) if part]
    return frozenset(parts) if parts and "*" not in parts and "all" not in parts else None


def _plain(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
