"""Approvals, kept with actor and reason: of accounts that may be sent additions, and of builds that let many people in.

The first push to a destination account is a shadow until a person has approved that account once.

Until then its plans of changes are made and held, so that their counts and rows can be looked at; removals and
withdrawals go regardless, since there is nobody they could harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, select, update

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Platform
from orchestration.activation.ledger import insert_new, reading
from orchestration.activation.plan_records import CHANGES
from orchestration.activation.state import State, approvals, plans

#: How the reasons begin that an approval of an account, or of a build, takes away.
_FIRST_PUSH, MASS_FLIP = "first_push: ", "mass_flip: "
#: What stands in place of a platform where a build is approved.
_BUILD = "build"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What an approval released: plans that may be applied now, and plans that something else still holds."""

    account: str
    ready: int
    held: int


def approved(state: State) -> frozenset[str]:
    """The keys of the accounts that may be sent additions, and of the builds whose newly eligible people are right."""
    with reading(state.deliveries) as connection:
        return frozenset(f"{row.platform}:{row.account}" for row in connection.execute(select(approvals)))


def why_held(account: str) -> str:
    """The reason that holds the plans of an account that was never approved, with what to do."""
    return (
        f"{_FIRST_PUSH}{account} was never approved, so nobody is added there; when these counts look right: "
        f"audiences approve {account} --actor YOU --reason WHY"
    )


def command(account: str, plan_id: str, held_because: str) -> str:
    """The command that releases a held plan: the account's or the build's approval, else that of exactly this plan."""
    if held_because.startswith(_FIRST_PUSH):
        return f"audiences approve {account} --actor YOU --reason WHY"
    if held_because.startswith(MASS_FLIP):
        return held_because.splitlines()[0].rpartition(": ")[2]
    return f"audiences apply {plan_id[:12]} --approve --actor YOU --reason WHY"


def build_key(build_id: int) -> str:
    """What a build is approved by."""
    return f"{_BUILD}:{build_id}"


def approve_build_command(build_id: int) -> str:
    """The command that approves a build's newly eligible people."""
    return f"audiences approve {build_key(build_id)} --actor YOU --reason WHY"


def never_approved(state: State, platforms: Iterable[Platform], accounts: Iterable[Account]) -> list[str]:
    """The keys of configured accounts that could be sent additions and were never approved."""
    kinds = {platform.name: platform.destination_class() for platform in platforms}
    known = approved(state)
    could = [one.key for one in accounts if (kind := kinds.get(one.platform)) is not None and kind.offers("add")]
    return [key for key in could if key not in known]


def approve(state: State, account: str, actor: str, reason: str) -> Approved:
    """Approve an account for good and release the plans that only waited for that.

    Raises ConfigurationError without actor and reason. Approving twice changes nothing.
    """
    platform, _, name = account.partition(":")
    mine = (plans.c.platform == platform, plans.c.account == name)
    return _approve(state, account, actor, reason, _held(*mine), _FIRST_PUSH)


def approve_build(state: State, build_id: int, actor: str, reason: str) -> Approved:
    """Approve that a build lets so many people in, and release the plans that only waited for that.

    Raises ConfigurationError without actor and reason, and when no plan of that build waits for it.
    """
    waiting = _held(plans.c.build_id == build_id, plans.c.held_because.contains(MASS_FLIP))
    with reading(state.deliveries) as connection:
        if connection.execute(select(plans.c.plan_id).where(*waiting).limit(1)).first() is None:
            raise ConfigurationError(
                f"No plan of build {build_id} waits for its newly eligible people to be approved: audiences status"
            )
    return _approve(state, build_key(build_id), actor, reason, waiting, MASS_FLIP)


def _held(*conditions: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    return (plans.c.path == CHANGES, plans.c.status == "held", *conditions)


def _approve(
    state: State, key: str, actor: str, reason: str, waiting: tuple[ColumnElement[bool], ...], kind: str
) -> Approved:
    if not actor.strip() or not reason.strip():
        raise ConfigurationError("An approval needs --actor and --reason: both are kept.")
    platform, _, name = key.partition(":")
    values = {"platform": platform, "account": name, "approved_by": actor.strip()[:120], "reason": reason.strip()}
    ready = held = 0
    with state.write_deliveries() as connection:
        insert_new(connection, approvals, [{**values, "approved_at": datetime.now(UTC)}])
        for plan in connection.execute(select(plans.c.plan_id, plans.c.held_because).where(*waiting)).all():
            others = [line for line in plan.held_because.splitlines() if not line.startswith(kind)]
            status = "held" if others else "ready"
            change = update(plans).where(plans.c.plan_id == plan.plan_id)
            connection.execute(change.values(held_because="\n".join(others), status=status))
            ready, held = ready + (not others), held + bool(others)
    return Approved(account=key, ready=ready, held=held)
