"""Reads the five parameters of the setpixel URL, strictly: what is unclear is refused with a hint, never guessed.

The trap of this URL is that it is copied with its instruction text (`&r=X or email=X`) and pasted into tools that fill
in templates; so what they leave behind is looked for by name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import unquote, unquote_plus, urlsplit

from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import Identifier, WebhookRequest
from dlt_sources.platforms.aevent.tables import PAGE

NAMES = ("page", "wtl", "value", "email", "r")
MOST_QUERY_BYTES = 2048
MOST_EMAIL_BYTES, MOST_TAG_CHARACTERS = 254, 64
_REGISTRANT = re.compile(r"[A-Za-z0-9_-]{1,128}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_TEMPLATE = re.compile(r"\{\{|\}\}|\{[^{}]*\}|<[^<>]*>|\[[^\[\]]*\]|%[A-Za-z_]{3,}%")
_LEFT_OVER = frozenset({"x", "null", "undefined", "none"})
_INSTRUCTION = re.compile(r"\s(or\s+)?(email|r)\s*=", re.IGNORECASE)

Given = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Call:
    """What a setpixel call says; `repaired` where the sender wrote a bare + in an address, which reads as a space."""

    tag: str
    identifier: Identifier
    repaired: bool = False


def given(request: WebhookRequest) -> Given:
    """The values of the five parameters, still escaped, from the query and from a form; others are ignored.

    WebhookRejected(414 or 413) when there is more of it than any call needs.
    """
    query = urlsplit(request.url).query
    if len(query) > MOST_QUERY_BYTES:
        _refuse("query_too_long", f"The query has more than {MOST_QUERY_BYTES} bytes.", status=414)
    parts = [query]
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind == "application/x-www-form-urlencoded":
        if len(request.body) > MOST_QUERY_BYTES:
            _refuse("form_too_long", f"The form has more than {MOST_QUERY_BYTES} bytes.", status=413)
        parts.append(request.body.decode("latin-1").strip())
    found: dict[str, list[str]] = {}
    for pair in "&".join(parts).split("&"):
        name, _, value = pair.partition("=")
        name = unquote_plus(name, errors="replace")
        if name in NAMES:
            found.setdefault(name, []).append(value)
    return found


def token(found: Given) -> str:
    """The token, as far as it can be read; WebhookRejected(404) when the call is for another function of the URL."""
    pages = found.get("page", [])
    if not pages or any(unquote_plus(page, errors="replace") != PAGE for page in pages):
        _refuse("not_a_webhook", f"page must be {PAGE!r}.", status=404)
    if len(found.get("wtl", [])) > 1:
        _repeated("wtl")
    return unquote_plus(found.get("wtl", [""])[0], errors="replace")


def call(found: Given) -> Call:
    """Read tag and identifier; WebhookRejected(400) with a hint when anything is missing, double or left unfilled."""
    for name, values in found.items():
        if len(values) > 1:
            _repeated(name)
    named = [name for name in ("email", "r") if name in found]
    if not named:
        _refuse("missing_identifier", "Add email=ADDRESS or r=REGISTRANT_ID.")
    if len(named) > 1:
        _refuse("two_identifiers", "Send email or r, not both.")
    (name,) = named
    raw = found[name][0]
    if _TEMPLATE.fullmatch(raw):  # before decoding: %EMAIL% is no escape
        _left_in(name)
    text = _decoded(name, raw)
    if not text:
        hint = f"{name} is empty: the field that is mapped to it has no value, and the act is lost."
        raise WebhookRejected("empty_identifier", status=400, hint=hint, alarm=True)
    if text.casefold() in _LEFT_OVER or _TEMPLATE.search(text) or _INSTRUCTION.search(text):
        _left_in(name)
    identifier, repaired = (_email(text), " " in text) if name == "email" else (_registrant(text), False)
    tag = unicodedata.normalize("NFC", _decoded("value", found.get("value", [""])[0]))
    if not tag:
        _refuse("missing_tag", "Add value=TAG.")
    if len(tag) > MOST_TAG_CHARACTERS:
        _refuse("unknown_tag", f"A tag has at most {MOST_TAG_CHARACTERS} characters.")
    return Call(tag, identifier, repaired)


def _email(text: str) -> Identifier:
    local, at, domain = text.rpartition("@")
    if " " in local and "  " not in local:
        local = local.replace(" ", "+")
    address = unicodedata.normalize("NFC", f"{local}{at}{domain}").lower()
    if len(address.encode()) > MOST_EMAIL_BYTES or not _EMAIL.fullmatch(address):
        _refuse("bad_identifier", "email is no address; write + as %2B and @ as %40.")
    return Identifier("email", address)


def _registrant(text: str) -> Identifier:
    if " " in text or "=" in text or "@" in text or "email" in text.lower():
        _left_in("r")
    if not _REGISTRANT.fullmatch(text):
        _refuse("bad_identifier", "r has 1 to 128 letters, digits, _ and -.")
    return Identifier("external", text)


def _decoded(name: str, raw: str) -> str:
    """The value, decoded once and trimmed; anything but clean UTF-8 text is refused."""
    if not raw.isascii() or raw.count("%") != len(_ESCAPE.findall(raw)):
        _refuse("bad_encoding", f"{name} is not escaped for a URL; write % as %25 and other letters as UTF-8.")
    try:
        text = unquote(raw.replace("+", " "), errors="strict")
    except UnicodeDecodeError:
        _refuse("bad_encoding", f"{name} is not UTF-8.")
    if any(unicodedata.category(character) == "Cc" for character in text):
        _refuse("bad_encoding", f"{name} holds control characters.")
    if _ESCAPE.search(text):
        _refuse("bad_encoding", f"{name} is escaped twice; escape it once.")
    return text.strip()


def _left_in(name: str) -> NoReturn:
    hint = f"{name} still holds the text of the copied URL or of a template; put the person's own value there."
    _refuse("placeholder_left_in", hint)


def _repeated(name: str) -> NoReturn:
    _refuse("repeated_parameter", f"{name} is given more than once.")


def _refuse(reason: str, hint: str, status: int = 400) -> NoReturn:
    raise WebhookRejected(reason, status=status, hint=hint)
