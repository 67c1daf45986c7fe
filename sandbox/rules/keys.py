"""Identifiers read wide, as every spelling that may be the same mailbox or number, and the lists that go with it."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import idna

from sandbox.facts import valid_phone

_TYPOS = {"gmial.com": "gmail.com", "gmai.com": "gmail.com", "hotmial.com": "hotmail.com", "yaho.com": "yahoo.com"}
_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_ROLES = frozenset({"info", "team", "sales", "support", "office", "hello", "contact", "admin"})
_RELAYS = frozenset({"privaterelay.appleid.com"})
_NOBODY = frozenset({"test@test.com", "noreply@example.com"})


@lru_cache(maxsize=500_000)
def wide(raw: str) -> frozenset[str]:
    """Every key under which a withdrawal or block of this identifier counts; empty for what is neither."""
    if "@" not in raw:
        phone = valid_phone(raw)
        return frozenset({phone} if phone else ())
    text = unicodedata.normalize("NFKC", raw)
    text = "".join(sign for sign in text if unicodedata.category(sign) not in ("Cf", "Cc", "Zs")).strip().casefold()
    local, _, domain = text.rpartition("@")
    try:
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return frozenset()
    if not local or "." not in domain:
        return frozenset()
    domains = {domain, _TYPOS.get(domain, domain)}
    return frozenset(_mailbox(part, one) for one in domains for part in (local, local.partition("+")[0]))


def joins(key: str) -> bool:
    """Whether an address or number may tell that two records are one person's: not an office's, a relay's, nobody's."""
    return not is_role(key) and key.rpartition("@")[2] not in _RELAYS and not is_nobodys(key)


def is_role(key: str) -> bool:
    """Whether an address is one that several people read."""
    return "@" in key and key.partition("@")[0].partition("+")[0] in _ROLES


def is_nobodys(key: str) -> bool:
    """Whether an address or number stands in place of one."""
    return key in _NOBODY


def at_school(key: str) -> bool:
    """Whether an address is a school's in the United States."""
    return key.endswith(".us") and ".k12." in key


def _mailbox(local: str, domain: str) -> str:
    return f"{local.replace('.', '')}@gmail.com" if domain in _GMAIL else f"{local}@{domain}"
