"""Characters: which of them cannot be seen, and how texts are folded so that look-alikes by typing are one."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class Fault(StrEnum):
    """Why a value has no narrow key."""

    EMPTY = "empty"
    INVISIBLE_CHARACTERS = "invisible_characters"
    AMBIGUOUS_CHARACTERS = "ambiguous_characters"  # one of several spellings, and the other may be another mailbox
    NOT_AN_ADDRESS = "not_an_address"
    NOT_A_NUMBER = "not_a_number"
    EXTENSION = "extension"  # a line behind a switchboard
    COUNTRY_UNKNOWN = "country_unknown"
    INVALID_NUMBER = "invalid_number"
    AMBIGUOUS_COUNTRY = "ambiguous_country"  # valid in several countries, as several numbers
    NOT_MOBILE = "not_mobile"


# Default-ignorable code points that no general category tells, and the blank Braille pattern.
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)
_UNSEEN = {"Cf", "Cc", "Zl", "Zp"}


def has_invisible(text: str, *, spaces: bool) -> bool:
    """Whether a character shows nothing; `spaces`: those other than the plain one count as such."""
    if text.isascii() and text.isprintable():
        return False
    return any(_is_unseen(one) or (spaces and one != " " and one.isspace()) for one in text)


def shown(text: str) -> str:
    """The text without what shows nothing; spaces of any kind become plain ones."""
    if text.isascii() and text.isprintable():
        return text
    plain = "".join(" " if one.isspace() else one for one in unicodedata.normalize("NFKC", text))
    return "".join(one for one in plain if not _is_unseen(one))


def folded(text: str) -> str:
    """The shown text in NFKC, without case; folding again changes nothing."""
    for _ in range(4):  # one round is enough but for a few letters, whose fold composes anew
        before, text = text, unicodedata.normalize("NFKC", shown(text).casefold())
        if text == before:
            break
    return text


def _is_unseen(one: str) -> bool:
    return unicodedata.category(one) in _UNSEEN or _IGNORABLE.match(one) is not None
