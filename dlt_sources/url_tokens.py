"""Tokens in webhook URLs: the only secret of platforms that sign nothing; kept and compared as SHA-256 alone.

The book is kept by whoever runs the house, as that of `tokens` is: in memory until then. It never learns a token, only
hashes; a token is known by the first six characters of its hash in logs, landed requests and tables.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlToken:
    """A token by its hash, the account (`platform:account`) that it speaks for, and the tags that it may set."""

    hash: str
    account: str
    tags: tuple[str, ...] = ()
    label: str = ""
    #: What it may do at most: take people out, never add them to anything that is sent to.
    suppress_only: bool = True

    @property
    def short(self) -> str:
        """The six characters that a token is told by."""
        return self.hash[:6]

    def tag(self, text: str) -> str | None:
        """The tag meant, in its stored spelling; None when this token may not set it."""
        return next((tag for tag in self.tags if tag.casefold() == text.casefold()), None)


class Book(Protocol):
    """The live tokens of an installation, by hash; reading it opens nothing."""

    def get(self, hash_: str) -> UrlToken | None:
        """The live token of that hash, if any."""

    def of(self, account: str) -> Collection[UrlToken]:
        """The live tokens of an account."""


class Fixed:
    """A book of certain tokens."""

    def __init__(self, tokens: Collection[UrlToken] = ()) -> None:
        self._tokens: Mapping[str, UrlToken] = {token.hash: token for token in tokens}

    def get(self, hash_: str) -> UrlToken | None:
        """The token of that hash, if any."""
        return self._tokens.get(hash_)

    def of(self, account: str) -> Collection[UrlToken]:
        """The tokens of an account."""
        return [token for token in self._tokens.values() if token.account == account]


_book: Book = Fixed()


def keep_in(book: Book) -> None:
    """Look tokens up in `book` from now on."""
    global _book
    _book = book


def new() -> str:
    """A token nobody can guess (190 bits), of letters and digits only, so that no tool changes it in a URL."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def hash_of(token: str) -> str:
    """The hex SHA-256 that a token is kept by."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def find(token: str) -> UrlToken | None:
    """The live token, or None; takes the same time whichever it is."""
    hash_ = hash_of(token)
    found = _book.get(hash_)
    return found if hmac.compare_digest(found.hash if found else "0" * 64, hash_) else None


def live(account: str) -> Collection[UrlToken]:
    """The live tokens of an account (`platform:account`)."""
    return _book.of(account)
