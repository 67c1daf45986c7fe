"""What a setpixel call says: GET /setpixel?page=webhook&wtl=TOKEN&value=TAG and one of email or r.

The URL, its five parameters and "one of email or r" are AEvent's help article. It documents no refusals; ours name the
mistakes a caller can make, so that they are seen: a mail address with a literal `+` (which decodes to a space), the
copied instruction `X`, a parameter given twice.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import parse_qsl

from sandbox.facts import valid_email

LONGEST_QUERY = 2048
_KNOWN = ("page", "wtl", "value", "email", "r")
_REGISTRANT = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TEMPLATES = ("{{", "}}", "{", "%email%", "<email>", "[email]")
_EMPTY_WORDS = frozenset({"x", "null", "undefined", "none"})


class WrongCallError(Exception):
    """A call without effect: the status, the code and the hint of its answer."""

    def __init__(self, status: int, code: str, hint: str) -> None:
        super().__init__(code)
        self.status, self.code, self.hint = status, code, hint


@dataclass(frozen=True, slots=True)
class Tagging:
    """A tag for one registrant, named by e-mail (a lower-case key) or by registrant id (as it is)."""

    tag: str
    kind: str
    identifier: str


def read(query: str, token: str, tags: tuple[str, ...]) -> Tagging:
    """The tagging that a query asks for; WrongCallError when it is none."""
    if len(query) > LONGEST_QUERY:
        raise WrongCallError(414, "query_too_long", f"at most {LONGEST_QUERY} characters")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise WrongCallError(400, "bad_encoding", "percent-encode as UTF-8") from None
    given = {name: value for name, value in pairs if name in _KNOWN}
    if given.get("page") != "webhook":
        raise WrongCallError(404, "not_found", "page must be webhook")
    if given.get("wtl") != token:
        raise WrongCallError(403, "unknown_token", "copy the URL from the audience again")
    if sum(name in _KNOWN for name, _ in pairs) != len(given):
        raise WrongCallError(400, "repeated_parameter", "give every parameter once")
    if any(unicodedata.category(mark) == "Cc" for value in given.values() for mark in value):
        raise WrongCallError(400, "bad_encoding", "control characters are not allowed")
    wanted = unicodedata.normalize("NFC", given.get("value", "").strip()).casefold()
    tag = next((known for known in tags if known.casefold() == wanted), None)
    if tag is None:
        raise WrongCallError(400, "unknown_tag", "value must be a tag of this audience")
    return Tagging(tag, *_identifier(given))


def _identifier(given: dict[str, str]) -> tuple[str, str]:
    named = [name for name in ("email", "r") if name in given]
    if len(named) != 1:
        code = "two_identifiers" if named else "missing_identifier"
        raise WrongCallError(400, code, "give exactly one of email and r")
    kind = named[0]
    value = given[kind].strip()
    if not value:
        raise WrongCallError(400, "empty_identifier", f"{kind} is empty")
    low = value.lower()
    if low in _EMPTY_WORDS or any(mark in low for mark in _TEMPLATES) or (kind == "r" and re.search(r"[ =@]", value)):
        raise WrongCallError(400, "placeholder_left_in", f"replace the instruction text in {kind}")
    if kind == "r":
        if not _REGISTRANT.fullmatch(value):
            raise WrongCallError(400, "bad_identifier", "r is no registrant id")
        return kind, value
    email = valid_email(value)
    if email is None or len(email.encode()) > 254:
        raise WrongCallError(400, "bad_identifier", "email is no address; write + as %2B")
    return kind, email
