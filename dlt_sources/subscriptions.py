"""The contract of a platform's `subscriptions` module: which webhooks the platform is set to send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dlt_sources.accounts import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A webhook that a platform is set to send: the topic in its own spelling, where to, and whether it sends now.

    `whole` is False where the platform shows only the beginning of the address.
    """

    topic: str
    address: str
    active: bool = True
    detail: str = ""
    whole: bool = True

    def reaches(self, url: str) -> bool:
        """True when it is sent to this address, as far as the platform shows."""
        return url == self.address if self.whole else url.startswith(f"{self.address.rstrip('/')}/")


class Subscriptions(Protocol):
    """A platform's `subscriptions` module: what the platform is set to send, and the setting of what lacks.

    Each function may raise PlatformError, or NotOffered with what to do by hand where this account's API cannot tell.
    """

    #: What this API cannot show or set, and where an operator does it; empty where it can do all.
    BY_HAND: str

    def wanted(self, account: Account) -> Sequence[str]:
        """The topics that must be subscribed for this account, as `Subscription.topic` spells them."""

    def listed(self, account: Account) -> Sequence[Subscription]:
        """Every subscription that the platform shows, other people's addresses included."""

    def register(self, account: Account, url: str) -> Sequence[Subscription]:
        """Subscribe `url` to each wanted topic that lacks it, and return those; nothing else changes.

        A repeat creates nothing and returns nothing.
        """
