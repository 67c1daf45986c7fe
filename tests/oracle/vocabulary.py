"""Section 1: what the platforms' values, people's texts and their purchases say, by the vocabulary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

from orchestration.deciding.cases import Event, Status, Text
from tests.oracle import assumed
from tests.oracle.identity import Identity, Node, record_id
from tests.oracle.rules import Row, Rules
from tests.oracle.statement import CLOSING, EXPRESS_STATES, Statement
from tests.oracle.times import Interval, plus_months

#: Rule 10: STOP by SMS ends all SMS and MMS marketing.
TEXTS = frozenset({"sms", "mms"})
PHONES = TEXTS | {"whatsapp", "voice"}
STOP_FIELDS = frozenset({"keyword", "error", "wording"})
#: An unseen value of a platform is a withdrawal, and no row is dropped.
UNSEEN: Row = {"state": "withdrawn", "suppression_kind": "", "method": "", "scope": "channel_all"}


class Reader:
    """Reads facts of one case into statements."""

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
        elif closing and covered == frozenset({"sms"}) and fact.field in STOP_FIELDS:
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
                # Until somebody has read it nobody knows what the words were to end.
                channels=PHONES if state == "hold" else TEXTS if closing else frozenset({"sms"}),
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
        reading = self.rules.words.get(word)
        if reading == "stop":
            return "withdrawn"
        if reading == "start" or (reading == "start_after_stop" and after_stop):
            return "granted"
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
            if own and keys.isdisjoint(self.identity.unjoinable):
                keys |= {own}
            return keys, self.identity.target(identifier)
        name = own or self.default_record
        if name is None:
            return frozenset(), None
        version = self.identity.version(name, when.hi)
        if version is None:
            return frozenset({name}), None
        # An ad audience is matched by address, as mail is.
        email = channels is None or not channels.isdisjoint({"email", "ads_audience"})
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
