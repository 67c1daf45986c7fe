"""The lists that reading an identifier needs; their rows live in the seeds."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # who reads single values as they come in must not wait for it
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
    tables = (domain_typos, role_addresses, email_providers, relay_domains, blocked_identifiers)
    return _lists(*(table.to_pylist() for table in tables))


def read_seeds(folder: Path) -> Lists:
    """The lists of the seed files in a folder.

    Raises ValueError as `from_seeds` does.
    """
    names = ("domain_typos", "role_addresses", "email_providers", "relay_domains", "blocked_identifiers")
    return _lists(*(_rows(folder / f"{name}.csv") for name in names))


def _rows(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8", newline="") as lines:
        truths = {"true": True, "false": False}
        return [{name: truths.get(text, text) for name, text in row.items()} for row in csv.DictReader(lines)]


def _lists(
    typos: Iterable[Mapping[str, Any]],
    roles: Iterable[Mapping[str, Any]],
    providers: Iterable[Mapping[str, Any]],
    relays: Iterable[Mapping[str, Any]],
    unusable: Iterable[Mapping[str, Any]],
) -> Lists:
    blocked: dict[str, set[str]] = {"exact": set(), "local_part": set(), "domain_suffix": set(), "digits": set()}
    for row in unusable:
        if row["match"] not in blocked:
            raise ValueError(f"blocked_identifiers: match is {row['match']!r}, not one of {', '.join(blocked)}")
        blocked[row["match"]].add(row["identifier"])
    return Lists(
        typos={row["domain"]: row["meant"] for row in typos},
        roles=frozenset(row["local_part"] for row in roles),
        providers={row["domain"]: Provider(row["same_as"], row["ignores_dots"]) for row in providers},
        relays={row["domain"]: row["covers_subdomains"] for row in relays},
        blocked_texts=frozenset(blocked["exact"]),
        blocked_local_parts=frozenset(blocked["local_part"]),
        blocked_domains=frozenset(blocked["domain_suffix"]),
        blocked_digits=frozenset(blocked["digits"]),
    )
