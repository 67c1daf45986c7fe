"""What a text says about being texted, in plain words: stop, perhaps stop, start, or nothing."""

from __future__ import annotations

import re
import unicodedata

_STOP = frozenset(
    {"stop", "stopall", "quit", "end", "revoke", "optout", "cancel", "unsubscribe", "arret", "remove", "td"}
)
_START = frozenset({"start", "unstop"})
_PERHAPS = re.compile(
    r"\b(stop\w*|unsubscribe|opt out|remove me|leave me alone|(no more|never|dont) (text|messag)\w*)\b"
)


def reading(body: str) -> str:
    """`stop` or `start` of a bare word in any dress, `hold` of words that somebody has to read, else empty."""
    plain = unicodedata.normalize("NFKD", body).casefold()
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign) and sign not in "'\u2019")
    words = re.findall(r"[^\W_]+", plain)
    whole = "".join(words)
    if whole in _STOP:
        return "stop"
    if whole in _START:
        return "start"
    return "hold" if _PERHAPS.search(" ".join(words)) else ""
