"""The lists that reading an identifier needs; their rows live in the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa


class Provider(NamedTuple):
    """How the mailboxes of a domain are named."""

    canonical: str  # the domain under which all domains of the provider are one
    dotless: bool  # dots before the @ make no other mailbox

    def mailbox(self, local: str) -> str:
        """The local part under which one mailbox is always the same."""
        return local.replace(".", "") if self.dotless else local


@dataclass(frozen=True)
class Lists:
    """All in lower case, as the seeds have them."""

    typos: Mapping[str, str] = field(default_factory=dict)  # a domain as mistyped -> the domain that was meant
    roles: frozenset[str] = frozenset()  # local parts such as info
    providers: Mapping[str, Provider] = field(default_factory=dict)  # by domain
    relays: Mapping[str, bool] = field(default_factory=dict)  # by domain: whether its subdomains are relays, too
    blocked_texts: frozenset[str] = frozenset()  # addresses such as test@test.com, and words in place of one
    blocked_local_parts: frozenset[str] = frozenset()  # such as noreply
    blocked_domains: frozenset[str] = frozenset()  # with all below them
    blocked_digits: frozenset[str] = frozenset()  # of numbers, with or without a country code


def from_seeds(
    *,
    domain_typos: pa.Table,
    role_addresses: pa.Table,
    email_providers: pa.Table,
    relay_domains: pa.Table,
    blocked_identifiers: pa.Table,
) -> Lists:
    """The lists of the seeds of these names; the caller leaves out rows that are not in force.

    Raises ValueError when an identifier is blocked by a match that nothing here knows.
    """
    blocked: dict[str, set[str]] = {"exact": set(), "local_part": set(), "domain_suffix": set(), "digits": set()}
    for row in blocked_identifiers.to_pylist():
        if row["match"] not in blocked:
            raise ValueError(f"blocked_identifiers: match is {row['match']!r}, not one of {', '.join(blocked)}")
        blocked[row["match"]].add(row["identifier"])
    return Lists(
        typos={row["domain"]: row["meant"] for row in domain_typos.to_pylist()},
        roles=frozenset(row["local_part"] for row in role_addresses.to_pylist()),
        providers={row["domain"]: Provider(row["same_as"], row["ignores_dots"]) for row in email_providers.to_pylist()},
        relays={row["domain"]: row["covers_subdomains"] for row in relay_domains.to_pylist()},
        blocked_texts=frozenset(blocked["exact"]),
        blocked_local_parts=frozenset(blocked["local_part"]),
        blocked_domains=frozenset(blocked["domain_suffix"]),
        blocked_digits=frozenset(blocked["digits"]),
    )
