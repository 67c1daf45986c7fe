"""One phone number, read with the library: the narrow key and the wide keys.

For the values that a look at their characters does not settle; `keys.phone_keys` reads the plain ones as sets.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType

from orchestration.identity.characters import Fault, has_invisible, shown
from orchestration.identity.numbering import CALLING_CODE

MOBILE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
#: Numbers that are also written in another way, and that way: Mexico's 1 and Argentina's 9 before mobiles, Italy's
#: leading 0, Brazil's ninth digit.
TWOFOLD = {
    r"\+52(\d{10})": r"+521\1",
    r"\+521(\d{10})": r"+52\1",
    r"\+54(\d{10})": r"+549\1",
    r"\+549(\d{10})": r"+54\1",
    r"\+39([1-9]\d{4,10})": r"+390\1",
    r"\+390([1-9]\d{4,10})": r"+39\1",
    r"\+55([1-9]\d)(\d{8})": r"+55\19\2",
    r"\+55([1-9]\d)9(\d{8})": r"+55\1\2",
}
_SHORTEST, _LONGEST, _END = 7, 15, 9
_MARKS = re.compile(r"[\s()./\-\u2010-\u2015\u2212\u30fc\uff0d]")
_TRUNK = re.compile(r"\(0+\)")
_MEXICAN = re.compile(r"(?:01|044|045|1)(\d{10})")


class Number(NamedTuple):
    """What is known of one value."""

    number: str | None  # E.164, if exactly one valid reading exists
    fault: Fault | None  # why it may not be targeted
    spellings: tuple[str, ...]  # every E.164 form that may mean it
    ends: tuple[str, ...]  # its last digits, by which a number of an unknown country is known
    is_country_known: bool


def read(value: str | None, countries: Sequence[str]) -> Number:
    """What is known of a value that was given by somebody of one of the countries (ISO codes), whatever it holds."""
    text = (value or "").strip()
    if not text:
        return Number(None, Fault.EMPTY, (), (), is_country_known=False)
    plain = shown(text)
    readings = list(_readings(plain, countries))
    kinds = {_e164(one): kind for one in readings if (kind := phonenumbers.number_type(one)) != PhoneNumberType.UNKNOWN}
    valid = set(kinds)
    plausible = valid | set(_abroad(plain))
    if not valid:
        plausible |= {_e164(one) for one in [*readings, *_mended(plain, countries)]}
    fault = _fault(text, plain, countries, readings, kinds)
    spellings = {form for one in plausible for form in twofold(one)}
    return Number(
        min(valid) if len(valid) == 1 and fault in (None, Fault.NOT_MOBILE) else None,
        fault,
        tuple(sorted(spellings)),
        tuple(
            sorted(
                {end for one in spellings for end in endings(one)} | (set() if valid else {_loose_end(plain)} - {""})
            )
        ),
        is_country_known=bool(valid),
    )


def suppressed_keys(value: str, countries: Sequence[str]) -> list[str]:
    """Every key that a suppression of a value blocks, such as `phone:+14155550123`."""
    number = read(value, countries)
    return keys_of(number, ends=not number.is_country_known)


def keys_of(number: Number, *, ends: bool) -> list[str]:
    """The keys of a number's spellings, with those of its last digits or without."""
    keys = [f"phone:{one}" for one in number.spellings]
    return keys + [f"phone_end:{one}" for one in number.ends] if ends else keys


def twofold(number: str) -> set[str]:
    """The E.164 forms that reach the same line where a country writes them in two ways."""
    others = (re.fullmatch(pattern, number) for pattern in TWOFOLD)
    rewritten = zip(others, TWOFOLD.values(), strict=True)
    return {number} | {match.expand(re.sub(r"\\(\d)", r"\\g<\1>", form)) for match, form in rewritten if match}


def endings(number: str) -> set[str]:
    """By what a number is known where its country is not: its last nine digits, or all it has at home if fewer."""
    national = re.sub(CALLING_CODE, "", number)
    return {number.lstrip("+")[-_END:]} | ({national} if len(national) < _END else set())


def digits_of(plain: str) -> str:
    """The decimal digits of a text, of any script, as plain ones."""
    if plain.isascii():
        return re.sub(r"\D", "", plain)
    return "".join(str(unicodedata.digit(one)) for one in plain if one.isdecimal())


def _fault(
    text: str, plain: str, countries: Sequence[str], readings: Sequence[PhoneNumber], kinds: Mapping[str, int]
) -> Fault | None:
    """The first thing that stands against targeting the number."""
    if has_invisible(text, spaces=False):
        return Fault.INVISIBLE_CHARACTERS
    if any(one.extension for one in readings):
        return Fault.EXTENSION
    if not re.fullmatch(r"\+?\d+", _MARKS.sub("", plain)) or _has_odd_digits(text):
        return Fault.NOT_A_NUMBER
    if not countries and not _is_international(plain):
        return Fault.COUNTRY_UNKNOWN
    if len(kinds) > 1:
        return Fault.AMBIGUOUS_COUNTRY
    if not kinds:
        return Fault.INVALID_NUMBER
    return None if MOBILE.issuperset(kinds.values()) else Fault.NOT_MOBILE


def _readings(plain: str, countries: Iterable[str]) -> Iterator[PhoneNumber]:
    """By the rules of each country; what begins with a plus needs none."""
    for country in (None,) if _is_international(plain) else countries:
        if (number := _parsed(plain, country)) is not None:
            yield number


def _abroad(plain: str) -> Iterator[str]:
    """Readings that take the digits to begin with a calling code, after a dialled prefix or none, if they are valid."""
    digits = digits_of(plain)
    if _is_international(plain):
        return
    for prefix in ("", "00", "011"):
        if digits.startswith(prefix):
            number = _parsed(f"+{digits.removeprefix(prefix)}", None)
            if number is not None and phonenumbers.is_valid_number(number):
                yield _e164(number)


def _mended(plain: str, countries: Iterable[str]) -> Iterator[PhoneNumber]:
    """Readings of what is not valid as it stands: without a plus, trunk prefixes or old ones for mobiles."""
    digits = digits_of(plain)
    without_trunk = _TRUNK.sub("", plain)
    texts: list[tuple[str, str | None]] = [(without_trunk, None)] if _is_international(plain) else []
    for country in countries:
        texts += [(digits, country), (digits_of(without_trunk), country), (digits.lstrip("0"), country)]
        if country == "MX" and (found := _MEXICAN.fullmatch(digits)):
            texts.append((found[1], country))
    for text, region in texts:
        number = _parsed(text, region)
        if number is not None and phonenumbers.is_possible_number(number):
            yield number


def _is_international(plain: str) -> bool:
    return re.match(r"[(\s]*\+", plain) is not None


def _parsed(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None


def _e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _loose_end(plain: str) -> str:
    """The last digits as they stand, none where they are too few to tell anybody."""
    digits = digits_of(plain).lstrip("0")
    return digits[-_END:] if len(digits) >= _SHORTEST else ""


def _has_odd_digits(text: str) -> bool:
    return any(unicodedata.category(one) == "No" for one in text)
