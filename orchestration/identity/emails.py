"""One e-mail address, read with the library: the narrow key, the wide keys, and what kind of address it is.

For the values that a look at their characters does not settle; `keys.email_keys` reads the plain ones as sets.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import idna
from email_validator import EmailNotValidError, validate_email

from orchestration.identity.characters import Fault, folded, has_invisible
from orchestration.identity.lists import Lists, Provider

_LONGEST, _LONGEST_ADDRESS = 253, 254  # characters of a domain, of an address
_APART = r"\s@<>()\[\],;:\""
# Begins behind what keeps addresses apart and gives nothing back, or long texts would be read over and over.
_WITHIN = re.compile(rf"(?<![^{_APART}])([^{_APART}]++)@([^{_APART}?/&#]+)")
# Their lower case depends on the language or on the letters around them.
_CASELESS = re.compile("[\u0130\u03a3]")


class Address(NamedTuple):
    """What is known of one value; `keys` are addresses, without a prefix."""

    target: str | None
    fault: Fault | None
    keys: tuple[str, ...]
    is_role: bool
    is_blocked: bool
    is_relay: bool
    is_mistyped: bool


class Domain(NamedTuple):
    """What is known of one domain."""

    ascii: str | None  # the A-label form, if mail can be sent there
    names: tuple[str, ...]  # every spelling of it, and of the domain that was meant, if it looks mistyped
    providers: tuple[Provider, ...]  # of these domains, where known
    is_relay: bool
    is_blocked: bool
    is_mistyped: bool


class Addresses:
    """Reads addresses, each domain once."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._domains: dict[str, Domain] = {}

    def domain(self, name: str) -> Domain:
        """What is known of a domain, in any spelling."""
        if name not in self._domains:
            self._domains[name] = self._look_up(name)
        return self._domains[name]

    def read(self, value: str | None) -> Address:
        """What is known of a value, whatever it holds."""
        text = (value or "").strip()
        if not text:
            return Address(None, Fault.EMPTY, (), is_role=False, is_blocked=True, is_relay=False, is_mistyped=False)
        target, fault = _narrow(text)
        found = (
            set(itertools.product(*zip(_parted(folded(text)), _parted(target), strict=True)))
            if target
            else _found(text)
        )
        about = [self.domain(domain) for _, domain in found]
        relay = any(one.is_relay for one in about)
        if relay:
            keys = {f"{local}@{domain}" for local, domain in found}
        else:
            keys = {key for local, domain in found for key in self._spelt(local, domain)}
        locals_ = {name for local, _ in found for name in (local, untagged(local))}
        return Address(
            target,
            fault,
            tuple(sorted(keys or _as_it_stands(text))),
            is_role=not locals_.isdisjoint(self._lists.roles),
            is_blocked=any(one.is_blocked for one in about)
            or not self._lists.blocked_texts.isdisjoint(keys | {folded(text)})
            or not self._lists.blocked_local_parts.isdisjoint(locals_),
            is_relay=relay,
            is_mistyped=any(one.is_mistyped for one in about),
        )

    def _spelt(self, local: str, domain: str) -> Iterable[str]:
        about, bare = self.domain(domain), untagged(local)
        for name, spelling in itertools.product(about.names, (local, bare)):
            yield f"{spelling}@{name}"
        for one in about.providers:
            yield f"{one.mailbox(bare)}@{one.canonical}"

    def _look_up(self, name: str) -> Domain:
        if len(name) > _LONGEST:
            return Domain(None, (name,), (), is_relay=False, is_blocked=False, is_mistyped=False)
        spellings = _spellings(name)
        names = {one for spelling in spellings for one in self._with_the_meant(spelling)}
        lists = self._lists
        return Domain(
            _deliverable(name),
            tuple(sorted(names)),
            tuple(sorted({lists.providers[one] for one in names if one in lists.providers})),
            any(lists.relays.get(one, False) or one in lists.relays.keys() & spellings for one in _above(spellings)),
            not lists.blocked_domains.isdisjoint(_above(spellings)),
            not lists.typos.keys().isdisjoint(spellings),
        )

    def _with_the_meant(self, name: str) -> set[str]:
        meant = self._lists.typos.get(name)
        return {name} | (_spellings(meant) if meant else set())


def untagged(local: str) -> str:
    """The local part without its plus tag; one that begins with a plus has none."""
    return local.partition("+")[0] or local


def _narrow(text: str) -> tuple[str | None, Fault | None]:
    if has_invisible(text, spaces=True):
        return None, Fault.INVISIBLE_CHARACTERS
    if len(text) > _LONGEST_ADDRESS:  # which the library would take minutes to find, if it is very long
        return None, Fault.NOT_AN_ADDRESS
    try:
        valid = validate_email(text, check_deliverability=False, strict=True)
    except (EmailNotValidError, UnicodeError):
        return None, Fault.NOT_AN_ADDRESS
    local = valid.local_part
    if local != unicodedata.normalize("NFKC", local) or _CASELESS.search(local):
        return None, Fault.AMBIGUOUS_CHARACTERS
    return f"{unicodedata.normalize('NFC', local.lower())}@{valid.ascii_domain.lower()}", None


def _deliverable(domain: str) -> str | None:
    try:
        return validate_email(f"a@{domain}", check_deliverability=False).ascii_domain
    except (EmailNotValidError, UnicodeError):
        return None


def _found(text: str) -> set[tuple[str, str]]:
    """Every address within a text that is none, as it is written and with its spaces gone, folded."""
    written = folded(text)
    together = re.sub(r"\s", "", written)
    return {
        (local, domain)
        for one in (written, together)
        for match in _WITHIN.finditer(one)
        if (local := match[1].strip("'`."))
        if (domain := match[2].replace("\u3002", ".").strip("'`."))
    }


def _as_it_stands(text: str) -> set[str]:
    """A key of what is no address and yet looks like one, so that it blocks itself."""
    only = folded(text)
    return {only} if re.fullmatch(r".+@.+", only) else set()


def _parted(address: str) -> tuple[str, str]:
    local, _, domain = address.rpartition("@")
    return local, domain


def _above(domains: Iterable[str]) -> set[str]:
    """The domains and all that they are below."""
    return {domain[place:] for domain in domains for place in (0, *(dot.end() for dot in re.finditer(r"\.", domain)))}


def _spellings(domain: str) -> set[str]:
    """The domain as written, as A-labels and as U-labels by the rules of 2008 and of 2003, and these without case."""
    names = {domain}
    if domain.isascii() and "xn--" not in domain:
        return names
    with contextlib.suppress(UnicodeError):
        labels = idna.encode(domain, uts46=True).decode()
        names |= {labels, folded(idna.decode(labels)), idna.decode(labels)}
    with contextlib.suppress(UnicodeError):
        labels = domain.encode("idna").decode()
        names |= {labels, folded(labels.encode().decode("idna"))}
    return names
