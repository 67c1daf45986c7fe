"""Endpoints: the accounts that may send webhooks, each with its platform's webhook module."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dlt_sources import accounts, registry
from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError
from dlt_sources.platform import Delivery, Webhook
from orchestration.landing import by_hand
from orchestration.landing.files import Landed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One account as a sender of webhooks."""

    account: Account
    webhook: Webhook
    #: False where a token in the URL takes the place of a signature.
    signed: bool = True


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Every sender by (platform, account); `broken` are platforms whose configuration cannot be used as it is."""

    by_name: Mapping[tuple[str, str], Endpoint]
    broken: frozenset[str] = frozenset()

    @classmethod
    def load(cls, folder: Path) -> Endpoints:
        """Read a home's accounts. One platform's broken configuration is logged and leaves the others working."""
        found: dict[tuple[str, str], Endpoint] = {}
        broken = set()
        for platform in registry.all_platforms():
            if not platform.has("webhook"):
                continue
            try:
                configured = accounts.load([platform], folder)
            except ConfigurationError as error:
                _log.error("Webhooks of %s wait until its configuration is mended: %s", platform.name, error)
                broken.add(platform.name)
                continue
            for account in configured:
                found[account.platform, account.name] = Endpoint(account, platform.webhook, platform.signed)
        return cls(found, frozenset(broken))

    def get(self, platform: str, account: str) -> Endpoint | None:
        """The sender of that name, if it is configured."""
        return self.by_name.get((platform, account))

    def of(self, platform: str) -> list[Endpoint]:
        """The configured senders of a platform."""
        return [endpoint for (name, _), endpoint in self.by_name.items() if name == platform]

    def unsigned(self) -> list[Endpoint]:
        """The senders that sign nothing."""
        return [endpoint for endpoint in self.by_name.values() if not endpoint.signed]

    def account(self, landed: Landed) -> Account:
        """The account a landed request came from; ConfigurationError when it is configured no more."""
        return self._of(landed).account

    def parse(self, landed: Landed) -> Delivery:
        """Read the acts out of a landed request; ConfigurationError when its account is configured no more."""
        endpoint = self._of(landed)
        return endpoint.webhook.parse(landed.request(), endpoint.account)

    def _of(self, landed: Landed) -> Endpoint:
        endpoint = self.get(landed.platform, landed.account)
        if landed.platform == by_hand.PLATFORM.name:
            return Endpoint(by_hand.ACCOUNT, cast("Webhook", by_hand))
        if endpoint is None:
            raise ConfigurationError(
                f"A webhook of {landed.platform} ({landed.account}) waits, but that account is not configured: "
                f"write its section [sources.{landed.platform}.{landed.account}] again until it has been settled."
            )
        return endpoint
