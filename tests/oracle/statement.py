"""Section 1: one thing that was said about one identifier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tests.oracle.identity import Node
from tests.oracle.times import Interval

GRANTS = frozenset({"granted", "granted_confirmed", "granted_implied"})
#: States that close a scope until a later grant reopens it; `hold` waits for a person or for such a grant.
CLOSING = frozenset({"withdrawn", "hold"})
EXPRESS_STATES = frozenset({"granted", "granted_confirmed"})


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
