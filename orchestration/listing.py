"""`audiences platforms`: what each platform can do and which accounts are configured."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from dlt_sources import registry
from dlt_sources.errors import PlatformError
from dlt_sources.platform import Platform
from orchestration import console

_OPERATIONS = ("add", "remove", "suppress", "find", "identify", "read_back", "erase", "send")


@dataclass(frozen=True, slots=True)
class Listed:
    """One platform as listed; `accounts` maps account to `configured` or to the result of its check."""

    name: str
    title: str
    pulls: list[str]
    webhooks: int
    pushes: list[str]
    accounts: dict[str, str]


def listed(*, check: bool = False) -> list[Listed]:
    """Every platform of the registry with its capabilities and accounts."""
    configured = registry.configured()
    result = []
    for platform in registry.all_platforms():
        mine = [account for account in configured if account.platform == platform.name]
        destination = platform.destination_class()
        result.append(
            Listed(
                name=platform.name,
                title=platform.title,
                pulls=[obj.name for obj in platform.objects],
                webhooks=len(platform.topics) if platform.has("webhook") else 0,
                pushes=[name for name in _OPERATIONS if destination is not None and destination.offers(name)],
                accounts={account.name: _answer(platform, account.name) if check else "configured" for account in mine},
            )
        )
    return result


def list_platforms(*, check: bool, as_json: bool) -> int:
    """Print the list; with `check`, the exit code is 1 when an account does not work."""
    found = listed(check=check)
    if as_json:
        console.print_json([asdict(one) for one in found])
    else:
        rows = [
            (
                one.title,
                ", ".join(one.pulls),
                f"{one.webhooks} topics" if one.webhooks else "none",
                ", ".join(one.pushes),
                ", ".join(f"{name}: {state}" for name, state in one.accounts.items()) or "not configured",
            )
            for one in found
        ]
        console.out.print(console.table("Platforms", ["platform", "pulls", "webhooks", "pushes", "accounts"], rows))
    failed = [state for one in found for state in one.accounts.values() if state not in ("configured", "works")]
    return 1 if failed else 0


def _answer(platform: Platform, account: str) -> str:
    try:
        platform.check(registry.account(platform.name, account))
    except PlatformError as error:
        return str(error)
    return "works"
