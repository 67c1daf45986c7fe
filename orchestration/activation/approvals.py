"""Approvals: the first push to a destination account is a shadow until a person has approved that account once.

Until then its plans of changes are made and held, so that their counts and rows can be looked at; removals and
withdrawals go regardless, since there is nobody they could harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, update

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Platform
from orchestration.activation.ledger import insert_new, reading
from orchestration.activation.plan_records import CHANGES
from orchestration.activation.state import State, approvals, plans

_FIRST_PUSH = "first_push: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What an approval released: plans that may be applied now, and plans that something else still holds."""

    account: str
    ready: int
    held: int


def approved(state: State) -> frozenset[str]:
    """The keys of the accounts that may be sent additions."""
    with reading(state.deliveries) as connection:
        return frozenset(f"{row.platform}:{row.account}" for row in connection.execute(select(approvals)))


def why_held(account: str) -> str:
    """The reason that holds the plans of an account that was never approved, with what to do."""
    return (
        f"{_FIRST_PUSH}{account} was never approved, so nobody is added there; when these counts look right: "
        f"audiences approve {account} --actor YOU --reason WHY"
    )


def command(account: str, plan_id: str, held_because: str) -> str:
    """The command that releases a held plan: the account's approval, else that of exactly this plan."""
    if held_because.startswith(_FIRST_PUSH):
        return f"audiences approve {account} --actor YOU --reason WHY"
    return f"audiences apply {plan_id[:12]} --approve --actor YOU --reason WHY"


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
    if not actor.strip() or not reason.strip():
        raise ConfigurationError("An approval needs --actor and --reason: both are kept.")
    platform, _, name = account.partition(":")
    values = {"platform": platform, "account": name, "approved_by": actor.strip()[:120], "reason": reason.strip()}
    mine = (plans.c.platform == platform, plans.c.account == name, plans.c.path == CHANGES, plans.c.status == "held")
    ready = held = 0
    with state.write_deliveries() as connection:
        insert_new(connection, approvals, [{**values, "approved_at": datetime.now(UTC)}])
        for plan in connection.execute(select(plans.c.plan_id, plans.c.held_because).where(*mine)).all():
            others = [line for line in plan.held_because.splitlines() if not line.startswith(_FIRST_PUSH)]
            status = "held" if others else "ready"
            change = update(plans).where(plans.c.plan_id == plan.plan_id)
            connection.execute(change.values(held_because="\n".join(others), status=status))
            ready, held = ready + (not others), held + bool(others)
    return Approved(account=account, ready=ready, held=held)
