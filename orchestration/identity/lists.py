"""The lists that reading an identifier needs; the rows live in the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Provider(NamedTuple):
    """How the mailboxes of a domain are named."""

    canonical: str  # the domain under which all domains of the provider are one
    dotless: bool  # dots before the @ make no other mailbox
    relay: bool  # hands mail on to an address it keeps to itself


@dataclass(frozen=True)
class Lists:
    """All lower case.

    `blocked` holds addresses (test@test.com), local parts (noreply@), domains (@example.com) and digits (0000000000).
    """

    typos: Mapping[str, str] = field(default_factory=dict)  # a domain as mistyped -> the domain that was meant
    roles: frozenset[str] = frozenset()  # local parts such as info
    blocked: frozenset[str] = frozenset()
    providers: Mapping[str, Provider] = field(default_factory=dict)  # by domain
