"""Planning and applying for Dagster's ops and for the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from dlt_sources import registry, tokens
from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Destination
from orchestration import console
from orchestration.activation import guards
from orchestration.activation.apply import Applied, apply
from orchestration.activation.comparison import CAUSES
from orchestration.activation.gate import Gate
from orchestration.activation.ledger import reading
from orchestration.activation.newly_eligible import NewlyEligible
from orchestration.activation.plan import PlanSummary
from orchestration.activation.state import State, plans
from orchestration.activation.token_store import Tokens
from orchestration.home import Home


def apply_ready(
    home: Home,
    state: State,
    *,
    path: str = "",
    audience: str = "",
    plan_ids: Collection[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Applied]:
    """Apply ready plans (of one path or audience, or those named) with the home's gate and destinations."""
    tokens.keep_in(Tokens(state))
    opened: dict[tuple[str, str], Destination] = {}

    def destination(platform: str, account: str) -> Destination:
        if (platform, account) not in opened:
            found = registry.account(platform, account)
            opened[platform, account] = registry.platform(platform).destination(found)
        return opened[platform, account]

    gate = Gate.of(home, state)
    return apply(home, state, gate, destination, path=path, audience=audience, plan_ids=plan_ids, progress=progress)


def show_plans(*, as_json: bool) -> None:
    """Plan from the newest build and print what would be sent; nothing is."""
    from orchestration.building import finish

    home = Home.current()
    state = State.of(home)
    try:
        built = finish(home, state, publishing=False)
    finally:
        state.close()
    planned = built.plans
    if as_json:
        console.print_json([asdict(one) for one in planned])
    else:
        console.out.print(newly_eligible_line(built.newly_eligible))
        for text in built.baselines:
            console.out.print(text)
        console.out.print(plans_table(planned))
        for text in by_hand(planned):
            console.out.print(text)
        held = [one for one in planned if one.status == "held"]
        for one in held:
            console.out.print(f"Held {one.plan_id[:12]}: {'; '.join(one.held_because)}")
        if held:
            console.out.print("Approve one plan with: audiences apply <plan> --approve --actor <you> --reason <why>")


def apply_named(plan_ids: Sequence[str], *, approve: bool, actor: str, reason: str, as_json: bool) -> int:
    """Apply plans by (the beginning of their) hash, or every ready one; 1 when a row failed or a run stopped short."""
    if approve and not (plan_ids and actor and reason):
        raise ConfigurationError("--approve needs the plans by hash, --actor and --reason.")
    home = Home.current()
    state = State.of(home)
    try:
        named = [_whole_id(state, plan_id) for plan_id in plan_ids]
        for plan_id in named if approve else []:
            guards.approve(state, plan_id, actor, reason)
        applied = apply_ready(home, state, plan_ids=named or None)
    finally:
        state.close()
    if as_json:
        console.print_json([asdict(one) for one in applied])
    else:
        console.out.print(applied_table(applied))
        for one in applied:
            if one.problem:
                console.err.print(one.problem, style="red")
    return 1 if any(one.problem or one.failed or one.dead for one in applied) else 0


def _whole_id(state: State, beginning: str) -> str:
    """The plan whose hash begins so; ConfigurationError unless exactly one does."""
    with reading(state.deliveries) as connection:
        query = select(plans.c.plan_id).where(plans.c.plan_id.startswith(beginning, autoescape=True))
        found: list[str] = [row.plan_id for row in connection.execute(query)]
    if len(found) != 1:
        raise ConfigurationError(f"{len(found)} plans begin with {beginning!r}: see `audiences plan`.")
    return found[0]


def newly_eligible_line(found: NewlyEligible | None) -> str:
    """How many people may be contacted now and could not in the last good build, by cause."""
    if found is None or found.base_build_id is None:
        return "Newly eligible people: no good build to compare with."
    causes = ", ".join(f"{found.by_cause[cause]:,} {text}" for cause, text in CAUSES.items() if cause in found.by_cause)
    return f"Newly eligible since build {found.base_build_id}: {causes or 'nobody'}."


def by_hand(planned: Sequence[PlanSummary]) -> list[str]:
    """What a person has to do at destinations that offer no removal, a line per target."""
    return [
        f"By hand: {one.by_hand} people must leave {one.target or 'what they are in'} at {one.platform}:{one.account}, "
        "which offers no call for it."
        for one in planned
        if one.by_hand
    ]


def plans_table(planned: Sequence[PlanSummary]) -> Any:
    """Plans as a table."""
    columns = [
        *("plan", "path", "account", "audience", "target", "status"),
        *("adds", "updates", "removes", "withdrawals", "unreachable"),
    ]
    rows = [
        (one.plan_id[:12], one.path, f"{one.platform}:{one.account}", one.audience, one.target, one.status, one.adds,
         one.updates, one.removes, one.suppressions, one.unreachable)
        for one in planned
    ]  # fmt: skip
    return console.table("Plans", columns, rows)


def applied_table(applied: Sequence[Applied]) -> Any:
    """Applied plans as a table."""
    columns = ["plan", "account", "audience", "target", "rows", "accepted", "failed", "dead", "gate", "taken back"]
    rows = [
        (one.plan_id[:12], f"{one.platform}:{one.account}", one.audience, one.target, one.rows, one.accepted,
         one.failed, one.dead, one.dropped, one.compensated)
        for one in applied
    ]  # fmt: skip
    return console.table("Applied", columns, rows)
