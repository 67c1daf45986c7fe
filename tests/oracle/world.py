"""A case as it is known at one time: its facts read, and what a question asks of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from pydantic import BaseModel

from orchestration.deciding import cases
from tests.oracle import identifiers as ids
from tests.oracle.identity import Identity, Node, Version, identify, record_id
from tests.oracle.rules import Rules
from tests.oracle.statement import Statement
from tests.oracle.statements import interval, read
from tests.oracle.times import Interval

Kind = TypeVar("Kind", bound=BaseModel)
PHONE_CHANNELS = frozenset({"sms", "mms", "whatsapp", "voice"})
MOBILE_CHANNELS = frozenset({"sms", "mms", "whatsapp"})


def recorded_at(fact: cases.Fact, case: cases.Case) -> datetime:
    """When a fact was learnt: at the end of its valid time, unless told."""
    return fact.recorded or fact.at or fact.latest or case.as_of


@dataclass
class World:
    """Everything known at one time, and nothing that was learnt later."""

    case: cases.Case
    rules: Rules
    known_at: datetime
    facts: Mapping[type, list[Any]]
    identity: Identity
    statements: list[Statement]
    default_record: str | None

    @classmethod
    def known(cls, case: cases.Case, rules: Rules, known_at: datetime) -> World:
        """The world of a case's facts that were recorded by then."""
        facts: dict[type, list[Any]] = defaultdict(list)
        policy = {**rules.policies, **case.policy}
        skew = timedelta(minutes=int(policy["clock_skew_minutes"]))
        for fact in case.facts:
            recorded = recorded_at(fact, case)
            if recorded <= known_at:
                when = interval(fact.at, fact.earliest, fact.latest, recorded, skew)
                facts[type(fact)].append((fact, when, recorded))
        reviews = [fact for fact, _, _ in facts[cases.Review]]
        stated = [fact for fact, _, _ in sorted(facts[cases.Link], key=lambda link: (link[2], link[0].id))]
        links = [fact for fact in stated if fact.retracted is None or fact.retracted > known_at]
        # Section 6: every join is reversible, one by a key too, which somebody reverses by taking the two apart.
        last = {frozenset(fact.records): fact for fact in stated if fact.reason == "by_hand"}
        apart = frozenset(fact.records[1] for fact in last.values() if fact not in links)
        identity = identify([(fact, when) for fact, when, _ in facts[cases.Record]], links, reviews, policy, apart)
        default = next(iter(identity.versions), None)
        said = facts[cases.Status] + facts[cases.Text] + facts[cases.Event]
        writes = [fact for fact, _, _ in facts[cases.Write]]
        return cls(
            case,
            rules,
            known_at,
            facts,
            identity,
            read(
                said,
                writes,
                reviews,
                identity,
                rules,
                default,
                timedelta(minutes=int(policy["echo_minutes"])),
            ),
            default,
        )

    @cached_property
    def policy(self) -> dict[str, Any]:
        return {**self.rules.policies, **self.case.policy}

    def of(self, kind: type[Kind]) -> list[tuple[Kind, Interval, datetime]]:
        """The known facts of a kind, each with its valid time and its receipt."""
        return self.facts.get(kind, [])

    @cached_property
    def verdicts(self) -> dict[str, set[str]]:
        """What people decided of held facts."""
        told: dict[str, set[str]] = defaultdict(set)
        for review, _, _ in self.of(cases.Review):
            told[review.of].add(review.verdict)
        return told


@dataclass
class Ask:
    """One question, with the identifier it is about and the circles around it."""

    question: cases.Question
    world: World
    raw: str | None
    target: str | None  # the narrow key, None if the identifier cannot be targeted
    own: frozenset[str]  # its wide keys
    around: frozenset[Node]  # what blocks may come from
    users: list[frozenset[str]]  # everybody known to use it, each as their records
    memory: dict[object, Any] = field(default_factory=dict)

    @property
    def channel(self) -> str:
        return self.question.channel

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The restricted categories of the message; a mixed one has several, and takes the strictest of each."""
        parts = self.question.category.replace(",", "+").split("+")
        return tuple(part.strip() for part in parts if part.strip() not in ("", "none"))

    @cached_property
    def statements(self) -> list[Statement]:
        """What was said in the wide circle, in the order of its time."""
        return [one for one in self.world.statements if not one.nodes.isdisjoint(self.around)]

    @cached_property
    def owned(self) -> frozenset[str]:
        """All records of the users."""
        return frozenset().union(*self.users)

    def current(self, records: frozenset[str], at: datetime) -> list[Version]:
        found = (self.world.identity.version(record, at) for record in sorted(records))
        return [version for version in found if version]


def ask(world: World, question: cases.Question, as_of: datetime) -> Ask:
    """The question put to a world: the named identifier, or the person's only one of the channel's kind."""
    identity = world.identity
    asked = frozenset({question.record}) if question.record else frozenset()
    if not asked and not question.identifier:
        asked = frozenset(identity.versions)
    person = frozenset().union(asked, *(identity.person.get(record, frozenset()) for record in asked))
    raw = question.identifier or _identifier(world, question.channel, asked, person, as_of)
    own = identity.keys(raw, blocking=False) if raw else frozenset()
    target = identity.target(raw, mobile=question.channel in MOBILE_CHANNELS)
    if raw and not ids.is_email(raw):
        for record in sorted(person or identity.versions):
            for version in identity.versions.get(record, ()):
                if version.fact.phone == raw:
                    target = ids.phone_target(raw, version.phone_countries, question.channel in MOBILE_CHANNELS)
                    own |= version.own - identity.keys(version.fact.email or "", blocking=False)
    users = identity.users(own) or sorted({identity.proof.get(one, frozenset({one})) for one in asked}, key=sorted)
    return Ask(
        question=question,
        world=world,
        raw=raw,
        target=target,
        own=own,
        around=identity.around(own | asked),
        users=users or [frozenset()],
    )


def _identifier(
    world: World, channel: str, asked: frozenset[str], person: frozenset[str], as_of: datetime
) -> str | None:
    """The identifier of the channel's kind that the asked record has now, else one of the person's other records."""
    for records in (asked, person):
        for record in sorted(records):
            version = world.identity.version(record, as_of)
            if version is None or version.fact.deleted:
                continue
            raw = version.fact.phone if channel in PHONE_CHANNELS else version.fact.email
            if raw is None and channel == "ads_audience":
                raw = version.fact.phone
            if raw:
                return raw
    return None if world.identity.versions else _said_of(world, channel)


def _said_of(world: World, channel: str) -> str | None:
    """Without any record: the identifier that the facts themselves name."""
    named = {
        fact.identifier
        for kind in (cases.Status, cases.Text, cases.Event)
        for fact, _, _ in world.of(kind)
        if fact.identifier and ids.is_email(fact.identifier) != (channel in PHONE_CHANNELS)
    }
    return min(named, default=None)


def subject_record(world: World, fact: cases.Age | cases.Event) -> str | None:
    """The record that a fact names; the case's only one, unless told."""
    if fact.record:
        return record_id(fact.platform, fact.account, fact.record)
    return world.default_record
