"""Section 6: a set of wide keys to block by, and one narrow key to target.

Own keys are what an identifier answers to; blocking keys are what a statement about it closes. They differ for a phone
number without a known country alone: it closes whatever ends in its last nine digits.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna
import phonenumbers
from phonenumbers import PhoneNumberType

from tests.oracle import assumed
from tests.oracle.rules import Rules

_SEEDS = Rules.load()
_PROVIDERS = {row["domain"]: row for row in _SEEDS.rows("email_providers")}
_TYPOS = {row["domain"]: row["meant"] for row in _SEEDS.rows("domain_typos")}
_RELAYS = frozenset(row["domain"] for row in _SEEDS.rows("relay_domains"))
_ROLES = frozenset(row["local_part"] for row in _SEEDS.rows("role_addresses"))
_BLOCKED: dict[str, frozenset[str]] = {
    match: frozenset(row["identifier"] for row in _SEEDS.rows("blocked_identifiers") if row["match"] == match)
    for match in ("exact", "local_part", "domain_suffix", "digits")
}
MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def is_email(raw: str) -> bool:
    return "@" in raw


@lru_cache(maxsize=100_000)
def email_keys(raw: str) -> frozenset[str]:
    """Every spelling of a mailbox: case, invisible characters, plus tag, Gmail's dots, IDN, corrected typing errors."""
    visible = "".join(one for one in raw if not _invisible(one))
    keys: set[str] = set()
    for text in {unicodedata.normalize(form, visible).casefold() for form in ("NFC", "NFKC")}:
        local, _, domain = text.rpartition("@")
        if not domain:
            continue
        for name in {domain, _TYPOS.get(domain, domain)}:
            keys |= _mailbox(local, name)
    return frozenset(f"email:{key}" for key in keys)


def _mailbox(local: str, domain: str) -> set[str]:
    ascii_name = _ascii_domain(domain) or domain
    if ascii_name in _RELAYS:
        return {f"{local}@{ascii_name}"}
    names = {ascii_name, _unicode_domain(ascii_name)}
    locals_ = {local, local.partition("+")[0] or local}
    provider = _PROVIDERS.get(ascii_name)
    if provider and provider["ignores_dots"] == "true":
        locals_ |= {one.replace(".", "") for one in locals_}
    if provider and provider["same_as"]:
        names.add(provider["same_as"])
    return {f"{one}@{name}" for one in locals_ for name in names}


@lru_cache(maxsize=100_000)
def email_target(raw: str | None) -> str | None:
    """The one exact key: as typed but for outer spaces and case, with a valid A-label; None if it is no address."""
    text = (raw or "").strip()
    local, at, domain = text.rpartition("@")
    if not at or not local or "@" in local or any(_invisible(one) for one in text) or "." not in domain:
        return None
    name = _ascii_domain(domain.lower())
    return f"{local.lower()}@{name}" if name else None


@lru_cache(maxsize=100_000)
def blocked(raw: str) -> bool:
    """Addresses and numbers that are nobody's: they are never written to and join nobody."""
    if not is_email(raw):
        digits = re.sub(r"\D", "", raw)
        return not digits.strip("0") or any(digits.endswith(one) and len(digits) < 14 for one in _BLOCKED["digits"])
    local, _, domain = raw.strip().casefold().rpartition("@")
    return (
        f"{local}@{domain}" in _BLOCKED["exact"]
        or local in _BLOCKED["local_part"]
        or domain.rpartition(".")[2] in _BLOCKED["domain_suffix"]
    )


def role(raw: str) -> bool:
    """info@ and its like: an address of an office, not of a person."""
    local = raw.strip().casefold().rpartition("@")[0]
    return is_email(raw) and local.partition("+")[0] in _ROLES


def relay(raw: str) -> bool:
    return is_email(raw) and raw.strip().casefold().rpartition("@")[2] in _RELAYS


def school(raw: str) -> bool:
    domain = raw.strip().casefold().rpartition("@")[2]
    return is_email(raw) and any(re.search(pattern, domain) for pattern in assumed.SCHOOL_DOMAINS)


@lru_cache(maxsize=100_000)
def phone_numbers(raw: str, countries: tuple[str, ...]) -> tuple[str, ...]:
    """Every plausible E.164 reading of a number in these countries."""
    text = re.sub(r"^\s*00", "+", raw.strip())
    found = set()
    for country in (None,) if text.startswith("+") else countries:
        try:
            number = phonenumbers.parse(text, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            found.add(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return tuple(sorted(found))


@lru_cache(maxsize=100_000)
def phone_blocking_keys(raw: str, countries: tuple[str, ...]) -> frozenset[str]:
    """Every plausible number with its variants; the last nine digits where no country gives one."""
    numbers = phone_numbers(raw, countries)
    if not numbers:
        return _last_nine(raw)
    return frozenset(f"phone:{one}" for number in numbers for one in _variants(number))


@lru_cache(maxsize=100_000)
def phone_own_keys(raw: str, countries: tuple[str, ...]) -> frozenset[str]:
    return phone_blocking_keys(raw, countries) | _last_nine(raw)


@lru_cache(maxsize=100_000)
def phone_target(raw: str | None, countries: tuple[str, ...], mobile: bool) -> str | None:
    """The one valid reading of a number, None if there is none or more than one, or if it is no mobile."""
    numbers = phone_numbers(raw, countries) if raw else ()
    if len(numbers) != 1:
        return None
    if mobile and phonenumbers.number_type(phonenumbers.parse(numbers[0])) not in MOBILE:
        return None
    return numbers[0]


@lru_cache(maxsize=100_000)
def phone_country(number: str) -> str | None:
    """The country of a valid number; the area code decides within +1."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(number))


def _last_nine(raw: str) -> frozenset[str]:
    digits = re.sub(r"\D", "", raw)
    return frozenset({f"last9:{digits[-9:]}"}) if len(digits) >= 9 else frozenset()


def _variants(number: str) -> set[str]:
    """Numbers that reach the same telephone: Italy's 0, Mexico's 1, Argentina's 9, Brazil's ninth digit."""
    found = {number}
    for prefix, inserted in (("+52", "1"), ("+54", "9"), ("+39", "0")):
        if number.startswith(prefix + inserted):
            found.add(prefix + number[len(prefix) + 1 :])
        elif number.startswith(prefix):
            found.add(prefix + inserted + number[len(prefix) :])
    if number.startswith("+55"):
        area, rest = number[3:5], number[5:]
        if len(rest) == 9 and rest.startswith("9"):
            found.add(f"+55{area}{rest[1:]}")
        elif len(rest) == 8:
            found.add(f"+55{area}9{rest}")
    return found


def _invisible(one: str) -> bool:
    return unicodedata.category(one) in ("Cf", "Cc", "Zs", "Zl", "Zp")


def _ascii_domain(domain: str) -> str | None:
    if re.fullmatch(r"(?!-)[a-z0-9-]+(\.[a-z0-9-]+)+", domain) and "xn--" not in domain:
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return None


def _unicode_domain(domain: str) -> str:
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain


@lru_cache(maxsize=100_000)
def name_key(name: str | None) -> str:
    """A name to compare by: case, width and spaces aside."""
    return " ".join(unicodedata.normalize("NFKC", name or "").casefold().split())
