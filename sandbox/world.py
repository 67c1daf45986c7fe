"""Everything the sandbox holds: the facts, the tables of all platforms, the log, the settings, and the journal."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from sandbox.calls import CallLog
from sandbox.facts import Facts, utc_now
from sandbox.population import generate
from sandbox.standin import StandIn, all_platforms
from sandbox.store import Journal, Table

_FACTS = "facts"


@dataclass
class Settings:
    """How the stand-ins behave; all can be changed while they run."""

    unlimited: bool = False
    job_seconds: float = 0.3
    shopify_plan: str = "basic"
    klaviyo_plan: str = "advanced_kdp"
    receiver: str | None = None
    public_url: str | None = None
    retry_delays: list[float] = field(default_factory=lambda: [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])


class World:
    """One shop on several platforms, kept under `home`.

    The first start generates the population and notes how; a later start with the same home generates the same one
    and replays the journal. `fresh` forgets what was there.
    """

    def __init__(self, home: Path, people: int, seed: int, as_of: datetime | None, fresh: bool = False) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.settings = Settings()
        self.calls = CallLog()
        self._numbers = itertools.count(1)
        note, journal = home / "population.json", home / "journal.jsonl"
        if fresh or not note.exists():
            journal.unlink(missing_ok=True)
            start = (as_of or utc_now()).astimezone(UTC)
            described = {"people": people, "seed": seed, "as_of": start.isoformat()}
            temporary = note.with_suffix(".new")
            temporary.write_bytes(orjson.dumps(described))
            temporary.replace(note)
        self.origin: dict[str, Any] = orjson.loads(note.read_bytes())
        self.facts: Facts = generate(
            self.origin["people"], self.origin["seed"], datetime.fromisoformat(self.origin["as_of"])
        )
        self.journal = Journal(journal)
        self._tables: dict[str, Table] = {}
        self.standins: dict[str, StandIn] = {standin.name: standin(self) for standin in all_platforms()}
        for standin in self.standins.values():
            standin.seed(self.facts)
        self._replay()

    def table(self, name: str) -> Table:
        """The table of that name, made at the first call."""
        if name not in self._tables:
            self._tables[name] = Table(name, self.journal)
        return self._tables[name]

    def add_fact(self, kind: str, person: str, at: datetime, **fields: Any) -> None:
        """Add one fact to what really happened, and to the journal."""
        entry = {"kind": kind, "person": person, "at": at.isoformat(), **fields}
        self.facts.apply(entry)
        self.journal.add(_FACTS, str(self.number()), entry)

    def number(self) -> int:
        """A number that no earlier change of this home has had."""
        return next(self._numbers)

    def settle(self) -> None:
        """Let every platform carry out what is due."""
        for standin in self.standins.values():
            standin.settle()

    def _replay(self) -> None:
        count = 0
        for name, row_id, row in self.journal.read():
            count += 1
            if name == _FACTS and row is not None:
                self.facts.apply(row)
            elif name in self._tables:
                self._tables[name].replay(row_id, row)
        self._numbers = itertools.count(count + 1)
