"""Section 6: who is joined to whom, widely for blocks and narrowly for targets and proofs.

Three circles are drawn around a record: *wide* (any strong key or link: withdrawals, suppressions and suspicions flow
through it), *person* (authenticated, platform ids, or address and name: what belongs to somebody), and *proof* (the
same without a platform's merge, for only an authenticated edge may carry proof of age from one record to another).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.deciding.cases import Link, Record, Review
from tests.oracle import identifiers as ids
from tests.oracle.times import Interval

Node = str  # "record:platform:account:record", or a wide key


@dataclass(frozen=True)
class Version:
    """A record as one version of it was."""

    record: str
    when: Interval
    fact: Record
    phone_countries: tuple[str, ...]
    email: str | None
    phone: str | None
    own: frozenset[str]

    @property
    def targets(self) -> frozenset[str]:
        return frozenset(one for one in (self.email, self.phone) if one)


class _Circles:
    """Union-find."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}

    def find(self, node: str) -> str:
        parent = self.parent.setdefault(node, node)
        while parent != self.parent[parent]:
            parent = self.parent[parent]
        self.parent[node] = parent
        return parent

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self.find(one), self.find(other)))
        self.parent[second] = first

    def members(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for node in self.parent:
            found[self.find(node)].add(node)
        shared = {root: frozenset(nodes) for root, nodes in found.items()}
        return {node: shared[self.find(node)] for node in self.parent}


@dataclass
class Identity:
    """The circles of one case, as known at one time."""

    versions: dict[str, list[Version]]
    markets: tuple[str, ...]
    wide: dict[str, frozenset[str]] = field(default_factory=dict)
    person: dict[str, frozenset[str]] = field(default_factory=dict)
    proof: dict[str, frozenset[str]] = field(default_factory=dict)
    unjoinable: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()

    def keys(self, raw: str, *, blocking: bool) -> frozenset[str]:
        """The wide keys of an identifier."""
        if ids.is_email(raw):
            return ids.email_keys(raw)
        return (ids.phone_blocking_keys if blocking else ids.phone_own_keys)(raw, self.markets)

    def target(self, raw: str | None, *, mobile: bool = False) -> str | None:
        """The narrow key of an identifier, None if it cannot be targeted."""
        if not raw:
            return None
        return ids.email_target(raw) if ids.is_email(raw) else ids.phone_target(raw, self.markets, mobile)

    def around(self, nodes: Iterable[Node]) -> frozenset[Node]:
        """Everything that a block may reach these nodes from."""
        found: set[Node] = set()
        for node in nodes:
            found.add(node)
            if node not in self.unjoinable:
                found |= self.wide.get(node, frozenset())
        return frozenset(found)

    def version(self, record: str, at: datetime) -> Version | None:
        """The version of a record that held at a time; its first one before that."""
        versions = self.versions.get(record)
        if not versions:
            return None
        held = [one for one in versions if one.when.hi <= at]
        return held[-1] if held else versions[0]

    def users(self, keys: frozenset[str]) -> list[frozenset[str]]:
        """Section 6, shared address: everybody who is known to use it, each as the records that are theirs.

        A record without any name is no other known user beside one that has a name.
        """
        found = {
            self.proof[record]
            for record, versions in self.versions.items()
            if any(not version.own.isdisjoint(keys) for version in versions)
        }
        named = {one for one in found if any(self.names(one))}
        return sorted(named or found, key=sorted)

    def names(self, records: frozenset[str]) -> set[str]:
        told = {ids.name_key(one.fact.name) for record in records for one in self.versions[record]}
        return told - {""}


def identify(
    records: Sequence[tuple[Record, Interval]],
    links: Sequence[Link],
    reviews: Sequence[Review],
    policy: Mapping[str, Any],
    apart: frozenset[str] = frozenset(),
) -> Identity:
    """The circles of records, less the joins that were taken back; records `apart` no key joins but for blocks.

    Section 6, changed email: the old key goes on blocking, and is none to target by. So what a record showed once joins
    it for blocks alone.
    """
    markets = tuple(str(country) for country in policy["markets"])
    versions: dict[str, list[Version]] = defaultdict(list)
    for fact, when in records:
        versions[record_id(fact.platform, fact.account, fact.record)].append(_version(fact, when, markets))
    for many in versions.values():
        many.sort(key=lambda one: (one.when.hi, one.when.lo, one.fact.recorded or one.when.hi, one.fact.id))
    identity = Identity({name: versions[name] for name in sorted(versions)}, markets)
    identity.shared, identity.unjoinable = _unjoinable(identity, policy)
    refused = {review.of for review in reviews if review.verdict == "other_person"}
    _draw(identity, [link for link in links if link.id not in refused], apart)
    return identity


def record_id(platform: str, account: str, record: str) -> str:
    return f"{platform}:{account}:{record}"


def _version(fact: Record, when: Interval, markets: tuple[str, ...]) -> Version:
    named = (fact.country.upper(),) if fact.country else ()
    plausible = tuple(dict.fromkeys(named + markets))
    own: frozenset[str] = ids.email_keys(fact.email) if fact.email else frozenset()
    if fact.phone:
        own |= ids.phone_own_keys(fact.phone, plausible)
    return Version(
        record=record_id(fact.platform, fact.account, fact.record),
        when=when,
        fact=fact,
        phone_countries=named or markets,
        email=ids.email_target(fact.email),
        phone=ids.phone_target(fact.phone, named or markets, False),
        own=own,
    )


def _unjoinable(identity: Identity, policy: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Shared nodes (more than 3 names, or 5 customers of one account), and with them all keys that join nobody."""
    names: dict[str, set[str]] = defaultdict(set)
    customers: dict[tuple[str, str], set[str]] = defaultdict(set)
    never: set[str] = set()
    for record, versions in identity.versions.items():
        for version in versions:
            account = f"{version.fact.platform}:{version.fact.account}"
            for key in version.own:
                if name := ids.name_key(version.fact.name):
                    names[key].add(name)
                customers[key, account].add(record)
                if key.startswith("last9:"):
                    never.add(key)
            for raw in (version.fact.email, version.fact.phone):
                # An opt-out at a role address blocks the address (section 6), and joins none of those who read it.
                if raw and (ids.blocked(raw) or ids.relay(raw) or ids.role(raw)):
                    never |= identity.keys(raw, blocking=True)
    shared = {key for key, told in names.items() if len(told) > int(policy["shared_node_names"])}
    shared |= {key for (key, _), told in customers.items() if len(told) > int(policy["shared_node_customers"])}
    shared -= {key for key in shared if key.startswith("last9:")}
    return frozenset(shared), frozenset(never | shared)


def _draw(identity: Identity, links: Sequence[Link], apart: frozenset[str]) -> None:
    wide, person, proof = _Circles(), _Circles(), _Circles()
    held: dict[tuple[str, str], str] = {}
    for record, versions in identity.versions.items():
        for circles in (wide, person, proof):
            circles.find(record)
        for version in versions:
            for key in version.own - identity.unjoinable:
                wide.join(record, key)
            shown = version is versions[-1] and record not in apart
            for theirs, text in version.fact.external_ids.items():
                if not text.strip():
                    continue
                for circles in (wide, person, proof) if shown else (wide,):
                    circles.join(record, f"external:{theirs}:{text.strip()}")
            email, name = version.email, ids.name_key(version.fact.name)
            if shown and email and name and _personal(version, identity):
                other = held.setdefault((email, name), record)
                person.join(record, other)
                proof.join(record, other)
    for link in links:
        one, other = link.records
        wide.join(one, other)
        if link.reason in ("authenticated", "platform_merge"):
            person.join(one, other)
        if link.reason == "authenticated":
            proof.join(one, other)
    identity.wide = wide.members()
    identity.person = _records(person.members(), identity)
    identity.proof = _records(proof.members(), identity)


def _personal(version: Version, identity: Identity) -> bool:
    raw = version.fact.email or ""
    return not ids.role(raw) and ids.email_keys(raw).isdisjoint(identity.unjoinable)


def _records(members: dict[str, frozenset[str]], identity: Identity) -> dict[str, frozenset[str]]:
    known = frozenset(identity.versions)
    return {record: members[record] & known for record in known}
