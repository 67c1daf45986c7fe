"""The writes that a case plans, answered by planning them: what no plan of production would hold may not be written.

Each is put to the planner as an audience of its own at a place of its own: for `add`, one that wants the identifier's
person; for `remove`, one that has left the project and still has the person as a member. Withdrawals plan themselves. A
write in a platform's own words is none of a destination's operations, and so is never made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
from sqlalchemy import insert

from dlt_sources import registry
from dlt_sources.accounts import Account
from orchestration.activation import approvals
from orchestration.activation.catalogue import Audience, Catalogue, Place
from orchestration.activation.guards import Findings
from orchestration.activation.keys import keyed_hash
from orchestration.activation.members import UNSEEN, identifier_type
from orchestration.activation.plan import PlanSummary
from orchestration.activation.plan import plan as make_plans
from orchestration.activation.state import State, memberships
from orchestration.deciding import worlds
from orchestration.deciding.cases import Plan
from orchestration.deciding.worlds import World
from orchestration.home import Home
from orchestration.inputs.rules import forbidden_write

#: What the planner reads beside the decisions.
MODELS = ("destination_records", "person_suppression_keys", "withdrawals")
_BUILD = 1
_OURS = ("add", "remove", "suppress")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAnswer:
    """Whether a write may be made, why, and in which respect that is not what the file expects."""

    case: str
    place: int
    plan: Plan
    allowed: bool
    because: str
    unexpected: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One write as the planner is asked for it."""

    name: str
    world: World
    place: int
    plan: Plan

    @property
    def account(self) -> str:
        return f"{self.world.name}main"

    @property
    def identifier(self) -> str:
        return self.world.name + worlds.normal(self.plan.identifier)

    @property
    def question(self) -> str:
        return worlds.question_id(self.world, worlds.question_of(self.plan))

    @property
    def audience(self) -> Audience:
        asked = worlds.question_of(self.plan)
        place = Place(platform=self.plan.platform, account=self.account, target=f"list:{self.name}")
        return Audience(
            name=self.name, channel=asked.channel, purpose=asked.purpose, topic=asked.topic, brand="",
            question_id=self.question, destinations=(place,),
        )  # fmt: skip


def answer(scratch: Home, connection: duckdb.DuckDBPyConnection, made: Sequence[World]) -> list[PlanAnswer]:
    """Answer every planned write of these worlds, whose decisions the open warehouse of `scratch` holds."""
    asked = [
        _Asked(f"plan_{number}", world, place, plan)
        for number, (world, place, plan) in enumerate(
            (world, place, plan) for world in made for place, plan in world.plans.items()
        )
    ]
    offered = [one for one in asked if _offers(one)]
    planned = _planned(scratch, connection, offered) if offered else {}
    return [_answer(connection, one, planned) for one in asked]


def _offers(asked: _Asked) -> bool:
    kinds = {platform.name: platform.destination_class() for platform in registry.all_platforms()}
    kind = kinds.get(asked.plan.platform)
    return kind is not None and asked.plan.operation in _OURS and kind.offers(asked.plan.operation)


def _planned(
    scratch: Home, connection: duckdb.DuckDBPyConnection, asked: Sequence[_Asked]
) -> Mapping[tuple[str, str], str]:
    """What the plans hold: (operation, audience's name or account and identifier) → the plan's status."""
    # Never the stores that the environment names: those are the house's own.
    state = State(scratch.state)
    try:
        accounts = {(one.plan.platform, one.account): _account(one) for one in asked}
        for account in accounts.values():
            approvals.approve(state, account.key, "audiences decide", "a case")
        _begin(connection)
        for one in asked:
            _want(state, connection, one)
        summaries = make_plans(
            scratch, state, connection,
            Catalogue(_BUILD, tuple(one.audience for one in asked if one.plan.operation == "add")), Findings(),
            platforms=registry.all_platforms(), accounts=list(accounts.values()),
        )  # fmt: skip
    finally:
        state.close()
    found: dict[tuple[str, str], str] = {}
    for summary in summaries:
        found |= dict.fromkeys(_rows(scratch, connection, summary), summary.status)
    return found


def _account(asked: _Asked) -> Account:
    return Account(
        platform=asked.plan.platform, name=asked.account, brand="", default_region="US", markets=(), settings={}
    )


def _begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the build on record that made the decisions, as the planner asks for it."""
    connection.execute(
        "INSERT INTO raw_audiences.builds SELECT ?, max(known_at), max(known_at), max(known_at) FROM marts.decisions",
        [_BUILD],
    )
    connection.execute("CREATE SCHEMA IF NOT EXISTS audiences")


def _want(state: State, connection: duckdb.DuckDBPyConnection, asked: _Asked) -> None:
    if asked.plan.operation == "add":
        connection.execute(
            f"CREATE TABLE audiences.{asked.name} AS SELECT DISTINCT person_id, identifier_type, identifier, "
            "?::BIGINT AS build_id FROM marts.decisions WHERE question_id = ? AND identifier = ?",
            [_BUILD, asked.question, asked.identifier],
        )
    elif asked.plan.operation == "remove":
        audience = asked.audience
        [place] = audience.destinations
        key = f"{identifier_type(audience.channel)}:{asked.identifier}"
        values = {
            "membership_id": asked.name, "audience": asked.name, "platform": place.platform, "account": place.account,
            "target": place.target, "record_id": UNSEEN + keyed_hash(state.key, key), "person_id": "", "brand": "",
            "channel": audience.channel, "topic": audience.topic, "payload_hash": "", "status": "accepted",
            "build_id": _BUILD, "changed_at": datetime.now(UTC),
        }  # fmt: skip
        with state.write_deliveries() as store:
            store.execute(insert(memberships).values(values))


def _rows(scratch: Home, connection: duckdb.DuckDBPyConnection, summary: PlanSummary) -> list[tuple[str, str]]:
    if not summary.file:
        return []
    rows: list[Any] = connection.execute(
        "SELECT op, CASE op WHEN 'suppress' THEN platform || ':' || account || ':' || identifier ELSE audience END "
        "FROM read_parquet(?)",
        [str(scratch.data / summary.file)],
    ).fetchall()
    return [(op, what) for op, what in rows]


def _answer(connection: duckdb.DuckDBPyConnection, asked: _Asked, planned: Mapping[tuple[str, str], str]) -> PlanAnswer:
    operation, what = asked.plan.operation, asked.name
    if operation == "suppress":
        what = f"{asked.plan.platform}:{asked.account}:{asked.identifier}"
    allowed = planned.get((operation, what)) == "ready"
    expected = asked.plan.allowed
    return PlanAnswer(
        case=asked.world.case.id,
        place=asked.place,
        plan=asked.plan,
        allowed=allowed,
        because="the planner plans it" if allowed else _why_not(connection, asked),
        unexpected=[f"allowed is {str(allowed).lower()}"] if expected is not None and expected != allowed else [],
    )


def _why_not(connection: duckdb.DuckDBPyConnection, asked: _Asked) -> str:
    if why := forbidden_write(asked.plan.platform, asked.plan.operation):
        return f"made for nobody: {why}"
    if not _offers(asked):
        return f"no destination of ours does this at {asked.plan.platform}"
    if asked.plan.operation == "suppress":
        return "no withdrawal of it is known, or it stands there already"
    codes = connection.execute(
        "SELECT DISTINCT reason_codes[1] FROM marts.decisions WHERE question_id = ? AND identifier = ? ORDER BY ALL",
        [asked.question, asked.identifier],
    ).fetchall()
    leads = ", ".join(code for (code,) in codes)
    if leads == "ok":
        return f"{asked.plan.platform} has no record with this identifier"
    return f"not eligible: {leads or 'nobody has this identifier'}"
