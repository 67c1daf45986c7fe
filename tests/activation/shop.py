"""A shop small enough to hold in the head: fabricated marts, a destination in memory, a gate that is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

import duckdb

from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, GateClosed, RetryLater, SetAside, StopRun
from dlt_sources.platform import Destination, Identifier, Job, Object, Operation, Outcome, Platform, Row, Target
from orchestration import warehouse
from orchestration.activation import apply as applying
from orchestration.activation import approvals, baseline
from orchestration.activation import plan as planning
from orchestration.activation import publish as publishing
from orchestration.activation.catalogue import Audience, Catalogue, Place, Question
from orchestration.activation.gate import GateRow
from orchestration.activation.guards import Findings
from orchestration.activation.keys import keyed_hash
from orchestration.activation.patience import Patience
from orchestration.activation.state import State
from orchestration.home import Home

NONE = Question(channel="email", purpose="marketing", topic="marketing")
VAPE = Question(channel="email", purpose="marketing", topic="marketing", product_category="vape")
SMS = Question(channel="sms", purpose="marketing", topic="marketing")
MAILER = Account(platform="mailer", name="main", brand="acme", default_region="US", markets=("US",), settings={})


class Mailer(Destination):
    """A destination in memory: targets → members → traits, and who withdrew; it can be told to misbehave."""

    batch_size: ClassVar[Mapping[Operation, int]] = {"add": 3, "remove": 3, "suppress": 3}
    target_kinds = ("list", "tag")
    channels = ("email", "sms")

    def __init__(self, account: Account = MAILER) -> None:
        super().__init__(account)
        self.members: dict[str, dict[str, Mapping[str, Any]]] = {}
        self.withdrawn: set[tuple[str, str]] = set()
        self.log: list[tuple[str, str, tuple[str, ...]]] = []
        self.records: dict[str, str] = {}
        #: Answers for the next calls, oldest first: an exception to raise, or a function that runs beside the call.
        self.next: list[Any] = []
        #: Rows with these records are refused, each or with its whole batch.
        self.bad: set[str] = set()
        self.whole = False
        #: Additions become jobs that end after this many polls.
        self.polls: int | None = None
        self.jobs: dict[str, tuple[Target, list[Row], int]] = {}

    def add(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome] | Job:
        after = self._begin("add", str(target), rows)
        if self.whole and any(row.record_id in self.bad for row in rows):
            raise SetAside(failure(400), "Mend it.")
        if self.polls is not None:
            job = Job(f"job-{len(self.jobs)}")
            self.jobs[job.id] = (target, list(rows), self.polls)
            return job
        answer = [self._add(target, row) for row in rows]
        after()
        return answer

    def poll(self, job: Job, rows: Sequence[Row]) -> Sequence[Outcome] | None:
        self.log.append(("poll", job.id, tuple(row.row_id for row in rows)))
        target, sent, left = self.jobs[job.id]
        if left:
            self.jobs[job.id] = (target, sent, left - 1)
            return None
        answer = [self._add(target, row) for row in sent]
        after = self.next.pop(0) if self.next else None
        if after:
            after()
        return answer

    def remove(self, target: Target, rows: Sequence[Row]) -> Sequence[Outcome]:
        after = self._begin("remove", str(target), rows)
        for row in rows:
            self.members.get(str(target), {}).pop(str(row.record_id), None)
        after()
        return [Outcome(row_id=row.row_id, status="accepted") for row in rows]

    def suppress(self, channel: str, rows: Sequence[Row]) -> Sequence[Outcome]:
        self._begin("suppress", channel, rows)
        self.withdrawn |= {(channel, row.identifier.value) for row in rows if row.identifier}
        return [Outcome(row_id=row.row_id, status="accepted") for row in rows]

    def find(self, identifiers: Sequence[Identifier]) -> Mapping[Identifier, Sequence[str]]:
        return {one: [self.records[one.value]] for one in identifiers if one.value in self.records}

    def read_back(self, target: Target) -> Iterator[str]:
        self._begin("read_back", str(target), ())
        yield from list(self.members.get(str(target), {}))

    def names(self, operation: str) -> list[str]:
        """Records of every call of an operation, in order."""
        return [record for kind, _, records in self.log if kind == operation for record in records]

    def _begin(self, operation: str, where: str, rows: Sequence[Row]) -> Any:
        self.log.append((operation, where, tuple(row.record_id or row.identifier.value for row in rows)))
        answer = self.next.pop(0) if self.next else None
        if isinstance(answer, BaseException):
            raise answer
        return answer or (lambda: None)

    def _add(self, target: Target, row: Row) -> Outcome:
        if row.record_id in self.bad:
            return Outcome(row_id=row.row_id, status="dead", code="bad_row", detail="not usable")
        record = row.record_id
        if record is None:
            record = self.records.setdefault(row.identifier.value, f"new-{len(self.records)}")
        self.members.setdefault(str(target), {})[record] = dict(row.traits)
        return Outcome(row_id=row.row_id, status="accepted")


class ToldGate:
    """Blocks the keys it is told, until a build absorbs them; `closed` makes it refuse to answer."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        #: Key hash → the build that absorbed it, if one has.
        self.forbidden: dict[str, int | None] = {}
        self.closed = False

    def block(self, *keys: str) -> None:
        self.forbidden |= dict.fromkeys(keyed_hash(self.shop.state.key, key) for key in keys)

    def absorb(self, build_id: int) -> None:
        self.forbidden = {key: build_id if known is None else known for key, known in self.forbidden.items()}

    def blocked(self, rows: Sequence[GateRow], build_id: int) -> Mapping[str, str]:
        if self.closed:
            raise GateClosed("The ledger cannot be read.")
        unknown = {key for key, known in self.forbidden.items() if known is None or known > build_id}
        return {row.row_id: "withdrawn" for row in rows if unknown.intersection(row.key_hashes)}


@dataclass
class Shop:
    """The house with fabricated marts; people have a record `r<n>` at the mailer unless told otherwise."""

    folder: Path
    home: Home = field(init=False)
    state: State = field(init=False)
    mailer: Mailer = field(default_factory=Mailer)
    gate: ToldGate = field(init=False)
    audiences: list[Audience] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    build_id: int = 0

    def __post_init__(self) -> None:
        self.home = Home(self.folder)
        self.state = fresh_state(self.home)
        approvals.approve(self.state, MAILER.key, "tests", "a mailer of our own")
        self.gate = ToldGate(self)
        with self.open() as connection:
            warehouse.ensure_raw(connection, [PLATFORM], [MAILER])
            connection.execute(MARTS)

    @classmethod
    def reopened(cls, folder: Path, other: Shop) -> Shop:
        """Another house in `folder`, which holds a copy of the other's files; its destination is as the other's is."""
        shop = cls.__new__(cls)
        shop.__dict__ |= other.__dict__
        shop.folder, shop.home, shop.slept = folder, Home(folder), []
        shop.state = State.of(shop.home)
        shop.mailer = Mailer()
        shop.mailer.batch_size = other.mailer.batch_size
        shop.mailer.members = deepcopy(other.mailer.members)
        shop.mailer.jobs = dict(other.mailer.jobs)
        shop.gate = ToldGate(shop)
        shop.gate.forbidden = dict(other.gate.forbidden)
        return shop

    @classmethod
    def of_two(cls, folder: Path, facts: str, *, reason: str) -> Shop:
        """A published shop where person 1 was pushed and person 2 is refused, with `facts` (SQL) about them."""
        shop = cls(folder)
        shop.audience(rule="bought")
        shop.build({"buyers": [1]}, refused={2: reason})
        shop.plan()
        shop.apply()
        with shop.open() as connection:
            connection.execute(facts)
        shop.publish()
        return shop

    @contextmanager
    def open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with warehouse.opened(self.home) as connection:
            yield connection

    def audience(self, name: str = "buyers", question: Question = NONE, **more: Any) -> Audience:
        target = more.pop("target", f"list:{name.title()}")
        place = Place(
            platform="mailer", account="main", target=target, traits=more.pop("traits", {}),
            create_missing=more.pop("create_missing", False),
        )  # fmt: skip
        audience = Audience(
            name=name, channel=question.channel, purpose=question.purpose, topic=question.topic, brand="acme",
            question_id=question.id, destinations=(place,), **more,
        )  # fmt: skip
        self.audiences = [one for one in self.audiences if one.name != name] + [audience]
        return audience

    def build(
        self,
        admitted: Mapping[str, Sequence[int]],
        *,
        refused: Mapping[int, str] | None = None,
        people: Sequence[int] = range(12),
        without_record: Sequence[int] = (),
        withdrawals: Sequence[int] = (),
        held_by: Sequence[str] = (),
        spent: Mapping[int, int] | None = None,
        questions: Sequence[Question] | None = None,
        extra_keys: Mapping[int, Sequence[str]] | None = None,
        stale: Sequence[str] = (),
    ) -> int:
        """Rebuild the marts as of now: whom each audience admits, and whom the decisions refuse, with a reason."""
        refused, spent, extra_keys = refused or {}, spent or {}, extra_keys or {}
        asked = questions if questions is not None else (NONE, VAPE, SMS)
        with self.open() as connection:
            build = warehouse.begin_build(self.state, connection)
            self.build_id = build.build_id
            connection.execute("BEGIN")
            known_at = connection.execute("SELECT max(known_at) FROM raw_audiences.builds").fetchone()[0]
            for table in ("clock", "questions", "destination_records", "person_suppression_keys", "decisions"):
                connection.execute(f"DELETE FROM marts.{table}")
            connection.execute("DELETE FROM marts.withdrawals")
            connection.execute("INSERT INTO marts.clock VALUES (?, ?, ?)", [build.build_id, build.as_of, known_at])
            for one in asked:
                connection.execute("INSERT INTO marts.questions VALUES (?, ?)", [one.id, one.channel])
            for n in people:
                email, phone = f"p{n}@example.com", f"+1415555{n:04d}"
                if n not in without_record:
                    values = ["mailer", "main", "acme", f"r{n}", f"p{n}", email, phone]
                    connection.execute("INSERT INTO marts.destination_records VALUES (?, ?, ?, ?, ?, ?, ?)", values)
                keys = [f"email:{email}", f"phone:{phone}", f"record:shop:main:s{n}", *extra_keys.get(n, ())]
                connection.execute("INSERT INTO marts.person_suppression_keys VALUES (?, ?)", [f"p{n}", keys])
                for one in asked:
                    kind, value = _identifier(n, one.channel)
                    reason = refused.get(n, "ok")
                    stays = reason in ("ok", "stale_source")
                    connection.execute(
                        "INSERT INTO marts.decisions VALUES (?, ?, ?, ?, ?, ?, ?, [], 'r1', ?, ?, NULL)",
                        [f"p{n}", kind, value, one.id, reason == "ok", stays, [reason], build.as_of, known_at],
                    )
            for n in withdrawals:
                values = ["email", f"p{n}@example.com", "email", "withdrawn", build.as_of, list(held_by)]
                connection.execute("INSERT INTO marts.withdrawals VALUES (?, ?, ?, ?, ?, ?)", values)
            for name, numbers in admitted.items():
                if name in stale:
                    continue
                channel = next((a.channel for a in self.audiences if a.name == name), "email")
                question = next((a.question_id for a in self.audiences if a.name == name), NONE.id)
                for schema in ("audiences", "exclusions"):
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                connection.execute(
                    f"CREATE OR REPLACE TABLE audiences.{name} (audience VARCHAR, person_id VARCHAR, "
                    "identifier_type VARCHAR, identifier VARCHAR, question_id VARCHAR, spent INTEGER, "
                    "as_of TIMESTAMPTZ, build_id BIGINT)"
                )
                connection.execute(
                    f"CREATE OR REPLACE TABLE exclusions.{name} (audience VARCHAR, person_id VARCHAR, "
                    "lead_reason VARCHAR, reason_codes VARCHAR[], build_id BIGINT)"
                )
                for n in numbers:
                    identifier = _identifier(n, channel)
                    if refused.get(n) == "stale_source":
                        values = [name, f"p{n}", "stale_source", ["stale_source"], build.build_id]
                        connection.execute(f"INSERT INTO exclusions.{name} VALUES (?, ?, ?, ?, ?)", values)
                        continue
                    values = [name, f"p{n}", *identifier, question, spent.get(n, 0), build.as_of, build.build_id]
                    connection.execute(f"INSERT INTO audiences.{name} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            connection.execute("COMMIT")
        return self.build_id

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.build_id, tuple(self.audiences))

    def plan(self, findings: Findings | None = None, **more: Any) -> dict[str, planning.PlanSummary]:
        """Plan; summaries by audience, the plan of removals under `removals`."""
        return {summary.audience or summary.path: summary for summary in self.plans(findings, **more)}

    def plans(self, findings: Findings | None = None, **more: Any) -> list[planning.PlanSummary]:
        """Plan; every summary."""
        with self.open() as connection:
            return planning.plan(
                self.home, self.state, connection, self.catalogue, findings or Findings(),
                platforms=[PLATFORM], accounts=[MAILER], **more,
            )  # fmt: skip

    def take_baselines(self) -> list[baseline.Taken]:
        """Read back and take over what is due, as the end of a build does before it plans."""
        found = baseline.read_back(baseline.due(self.state), lambda key: self.mailer)
        with self.open() as connection:
            return baseline.take(connection, self.state, found, self.build_id)

    def publish(self) -> publishing.Published:
        with self.open() as connection:
            return publishing.publish(self.home, self.state, connection, self.catalogue)

    def apply(self, **more: Any) -> dict[str, applying.Applied]:
        results = applying.apply(
            self.home, self.state, self.gate, lambda platform, account: self.mailer,
            patience=more.pop("patience", Patience(sleep=self.slept.append)), **more,
        )  # fmt: skip
        return {result.audience or result.path: result for result in results}

    def on(self, target: str) -> set[int]:
        """Numbers of the people on a target."""
        return {int(record.removeprefix("r")) for record in self.mailer.members.get(target, {})}

    def memberships(self) -> dict[str, str]:
        """Record → status, as state has them."""
        from sqlalchemy import select

        from orchestration.activation.state import memberships

        with self.state.deliveries.connect() as connection:
            query = select(memberships.c.record_id, memberships.c.status)
            return {row.record_id: row.status for row in connection.execute(query)}


@cache
def _migrated() -> Path:
    """A folder with empty stores, made once: migrating takes longer than most tests."""
    folder = Path(mkdtemp())
    State(folder).close()
    return folder


def fresh_state(home: Home) -> State:
    """Empty state in a home that has none."""
    if not home.state.exists():
        shutil.copytree(_migrated(), home.state)
    return State.of(home)


def _identifier(n: int, channel: str) -> tuple[str, str]:
    """Kind and value of what a channel reaches person `n` by; without a channel it is the person."""
    if channel == "none":
        return "person", f"p{n}"
    return ("email", f"p{n}@example.com") if channel == "email" else ("phone", f"+1415555{n:04d}")


class MailerPlatform(Platform):
    """The mailer's title page; its destination is the one in memory."""

    def destination_class(self) -> type[Destination]:
        return Mailer


PLATFORM = MailerPlatform(
    name="mailer",
    title="Mailer",
    documentation="",
    objects=(Object(name="people", key="id", updated=None, schedule=timedelta(hours=1)),),
)

MARTS = """
CREATE SCHEMA marts;
CREATE TABLE marts.clock (build_id BIGINT, as_of TIMESTAMPTZ, known_at TIMESTAMPTZ);
CREATE TABLE marts.questions (question_id VARCHAR, channel VARCHAR);
CREATE TABLE marts.destination_records (platform VARCHAR, account VARCHAR, brand VARCHAR, record_id VARCHAR,
    person_id VARCHAR, email VARCHAR, phone VARCHAR);
CREATE TABLE marts.person_suppression_keys (person_id VARCHAR, suppression_keys VARCHAR[]);
CREATE TABLE marts.decisions (person_id VARCHAR, identifier_type VARCHAR, identifier VARCHAR, question_id VARCHAR,
    eligible BOOLEAN, may_remain BOOLEAN, reason_codes VARCHAR[], evidence_ids VARCHAR[], rule_version VARCHAR,
    decided_as_of TIMESTAMPTZ, known_at TIMESTAMPTZ, next_change_at TIMESTAMPTZ);
CREATE TABLE marts.withdrawals (identifier_type VARCHAR, identifier VARCHAR, channel VARCHAR, reason VARCHAR,
    effective_at TIMESTAMPTZ, held_by VARCHAR[]);
CREATE TABLE marts.absorbed_landings (landing_id VARCHAR);
"""


def failure(status: int | None) -> Failure:
    """Where a call of the mailer failed."""
    return Failure("mailer", "main", "list:Buyers", status, "told to")


def throttled(seconds: float) -> RetryLater:
    return RetryLater(failure(429), "Wait.", retry_after=seconds)


def unanswered() -> RetryLater:
    return RetryLater(failure(None), "Try again.")


def forbidden() -> StopRun:
    return StopRun(failure(401), "Renew the credentials.")


def long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=30)
