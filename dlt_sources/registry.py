"""The registry: every package in `platforms/`, found by walking the folder."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from dlt_sources import accounts, platforms
from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Platform


@cache
def all_platforms() -> tuple[Platform, ...]:
    """Every platform that has a package, by name; imports title pages only."""
    found = []
    for module in pkgutil.iter_modules(platforms.__path__):
        title_page = import_module(f"{platforms.__name__}.{module.name}")
        found.append(title_page.PLATFORM)
    return tuple(sorted(found, key=lambda platform: platform.name))


def platform(name: str) -> Platform:
    """The platform of that name; ConfigurationError lists the known ones if there is none."""
    for candidate in all_platforms():
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in all_platforms())
    raise ConfigurationError(f"There is no platform {name!r}; known are {known}.")


def configured() -> list[Account]:
    """Every configured account of every known platform."""
    return accounts.load(all_platforms())


def account(platform_name: str, account_name: str) -> Account:
    """One configured account; ConfigurationError says which section to write if it is not configured."""
    for candidate in accounts.load([platform(platform_name)]):
        if candidate.name == account_name:
            return candidate
    raise ConfigurationError(
        f"{platform_name} has no account {account_name!r}: "
        f"write a section [sources.{platform_name}.{account_name}] in .dlt/config.toml."
    )
