"""The answer to why: everything that is told about one subject, identifiers masked unless asked otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestration.activation.evidence import ByHand, Evidence
from orchestration.activation.reasons import Reason
from orchestration.activation.rules_behind import Rule
from orchestration.activation.sent import Call, Membership, Push


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision about one identifier of a person for an audience's question.

    `reasons` are in the order of evaluation, the first leads. `next_change_at` is when the answer may change with no
    new event; where that is a birthday it is empty and `changes` names its year alone.
    """

    identifier: str
    eligible: bool
    reasons: Sequence[Reason]
    evidence: Sequence[Evidence]
    rules: Sequence[Rule] = ()
    rule_version: str
    next_change_at: datetime | None
    changes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InAudience:
    """Where a person stands with one audience.

    stands: in | out (of interest, not admitted) | not_interested, and for the past, in which interest is not computed,
    may_be_used | kept_out.
    """

    audience: str
    channel: str
    rule: str
    stands: str
    reasons: Sequence[Reason]
    verdicts: Sequence[Verdict]
    memberships: Sequence[Membership]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A ledger row that blocks now and that no published build knows yet."""

    kind: str
    channel: str
    topic: str
    audience: str
    event_name: str
    platform: str
    account: str
    occurred_at: datetime
    unresolved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person: identifiers (masked unless asked otherwise), records, every audience asked about, what was sent.

    `facts` is everything that is recorded about the person, whether or not a decision rests on it, newest first.
    """

    person_id: str
    identifiers: Sequence[str]
    records: Sequence[str]
    audiences: Sequence[InAudience]
    pushes: Sequence[Push] = ()
    facts: Sequence[Evidence] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of a subject; nobody may be known, and still `waiting` or `facts` may speak.

    `by_hand` holds every block and lift by hand, oldest first, whether or not a build knows it yet; `calls` what the
    speed lane sent because of an opt-out; `facts` what is recorded on the identifier itself when nobody holds it;
    `notes` what the reader has to know of the answer's limits.
    """

    subject: str
    build_id: int
    as_of: datetime | None
    known_at: datetime | None = None
    rule_version: str = ""
    past: bool = False
    people: Sequence[Person] = field(default_factory=tuple)
    waiting: Sequence[Waiting] = field(default_factory=tuple)
    by_hand: Sequence[ByHand] = field(default_factory=tuple)
    calls: Sequence[Call] = field(default_factory=tuple)
    facts: Sequence[Evidence] = field(default_factory=tuple)
    notes: Sequence[str] = field(default_factory=tuple)
