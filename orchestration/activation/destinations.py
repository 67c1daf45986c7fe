"""Destinations: the configured accounts that can be pushed to, found without importing dlt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dlt_sources import accounts, registry
from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Destination

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Destinations:
    """The configured accounts that can be pushed to, and how one is opened."""

    classes: Mapping[str, type[Destination]]
    accounts: Mapping[str, Account]
    opened: Callable[[Account], Destination]

    @classmethod
    def load(cls, folder: Path) -> Destinations:
        """Read a home's accounts. One platform's broken configuration is logged and leaves the others working."""
        classes: dict[str, type[Destination]] = {}
        found: dict[str, Account] = {}
        for platform in registry.all_platforms():
            kind = platform.destination_class()
            if kind is None:
                continue
            try:
                configured = accounts.load([platform], folder)
            except ConfigurationError as error:
                _log.error("Removals at %s wait until its configuration is mended: %s", platform.name, error)
                continue
            for account in configured:
                classes[account.key], found[account.key] = kind, account
        return cls(classes, found, lambda account: registry.platform(account.platform).destination(account))

    def open(self, key: str) -> Destination:
        """A destination by its account's key; ConfigurationError when it is configured no more."""
        if key not in self.accounts:
            raise ConfigurationError(f"Calls to {key} are owed, but it is not configured: write its section again.")
        return self.opened(self.accounts[key])

    def holding(self, channel: str) -> Iterator[tuple[Account, str]]:
        """The accounts that can hold a withdrawal, each with the channels of theirs that it means."""
        for key, kind in self.classes.items():
            if kind.offers("suppress"):
                for one in kind.channels:
                    if channel in ("*", one):
                        yield self.accounts[key], one
