"""Requests whose URL is the secret: who comes in, how often, and what of the URL is kept.

Whoever signs nothing is known by a token in the URL (`dlt_sources.url_tokens`). Such URLs end up in previews, scanners
and prefetches, so only a plain GET or POST has an effect, and nothing of them is ever stored or passed on.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from hashlib import blake2b
from urllib.parse import parse_qs, unquote_plus, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response

from dlt_sources import url_tokens
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import Identifier, Webhook, WebhookRequest
from dlt_sources.url_tokens import UrlToken
from orchestration.home import Home
from orchestration.landing.endpoints import Endpoint

METHODS = ("GET", "POST", "HEAD", "OPTIONS")
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
#: Calls a minute, by one token and about one person; then 429.
BY_TOKEN, ABOUT_PERSON = 600, 60
#: The book of tokens is read anew this often, and at most so often for a token that it does not know.
READ_SECONDS, UNKNOWN_SECONDS = 30.0, 1.0
_MOST_KEYS = 20_000
_log = logging.getLogger(__name__)


def without_effect(request: Request) -> Response | None:
    """The answer to a request that must change nothing (HEAD, OPTIONS, a prefetch); None for one that acts."""
    if request.method == "HEAD":
        return Response(status_code=200, headers=HEADERS)
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={**HEADERS, "Allow": ", ".join(METHODS)})
    purposes = (request.headers.get(name, "") for name in ("purpose", "sec-purpose", "x-moz"))
    if any("prefetch" in purpose.lower() for purpose in purposes):
        return Response(status_code=204, headers=HEADERS)
    return None


def kept(webhook: Webhook, request: WebhookRequest, token: UrlToken) -> WebhookRequest:
    """The request as it is landed: never with its token, and of its headers only the kind of its body."""
    own = getattr(webhook, "kept", None)
    if own is not None:
        done: WebhookRequest = own(request)
        return done
    headers = {name: value for name, value in request.headers.items() if name == "content-type"}
    return replace(request, url=_masked(request.url, token), headers=headers)


class Door:
    """Lets requests with a live token in; `read` brings the book of tokens up to date (it may block)."""

    def __init__(self, read: Callable[[], None]) -> None:
        self._read = read
        self._read_at = float("-inf")
        self._known = False
        self._reading = asyncio.Lock()
        self._tokens = _Rate(BY_TOKEN)
        self._people = _Rate(ABOUT_PERSON)

    async def refresh(self, older_than: float = 0.0) -> None:
        """Read the book, unless it was read within so many seconds; what goes wrong is logged."""
        async with self._reading:
            if time.monotonic() - self._read_at < older_than:
                return
            self._read_at = time.monotonic()
            try:
                await asyncio.to_thread(self._read)
                self._known = True
            except Exception as error:  # whatever keeps us from reading, the tokens known so far stay
                _log.error("The tokens of webhook URLs cannot be read (%s); those known stay.", type(error).__name__)

    async def keep_fresh(self) -> None:
        """Read the book now and then, until cancelled: a token that was revoked stops working within that time."""
        while True:
            await asyncio.sleep(READ_SECONDS)
            await self.refresh()

    async def admit(self, request: WebhookRequest, webhook: Webhook) -> UrlToken:
        """The live token of a request; WebhookRejected(403) without one, 429 when it comes too often."""
        named = getattr(webhook, "token", None)
        text: str = named(request) if named is not None else _given(request.url)
        found = url_tokens.find(text)
        if found is None:
            await self.refresh(UNKNOWN_SECONDS)
            found = url_tokens.find(text)
        if found is None and not self._known:
            raise WebhookRejected("tokens_unreadable", status=503)
        if found is None:
            raise WebhookRejected("unknown_token", status=403)
        self._tokens.count(found.hash)
        return found

    def count(self, token: UrlToken, identifiers: Iterable[Identifier]) -> None:
        """Count a call about somebody; WebhookRejected(429) when there are too many."""
        for identifier in identifiers:
            self._people.count(f"{token.hash} {identifier.kind} {identifier.value}")


@asynccontextmanager
async def opened(home: Home, senders: Sequence[Endpoint]) -> AsyncIterator[Door]:
    """The door of a home while its receiver runs; says which senders sign nothing, and reads no state without any."""
    if not senders:
        yield Door(lambda: None)
        return
    from orchestration.activation.state import State
    from orchestration.activation.webhook_tokens import LiveTokens

    state = State.of(home)
    book = LiveTokens(state)
    url_tokens.keep_in(book)
    door = Door(book.read)
    await door.refresh()
    for sender in senders:
        live = len(url_tokens.live(sender.account.key))
        _log.warning("%s signs nothing: a token in its URL is the secret; %d live.", sender.account.key, live)
    fresh = asyncio.create_task(door.keep_fresh(), name="read-url-tokens")
    try:
        yield door
    finally:
        fresh.cancel()
        with suppress(asyncio.CancelledError):
            await fresh
        state.close()


class _Rate:
    """At most `calls` a minute for each key; keys are kept as hashes under a key that lives as long as the process."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._key = secrets.token_bytes(32)
        #: What each key may still spend, and when that was true; the one used longest ago first.
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def count(self, text: str) -> None:
        key, now = blake2b(text.encode(), key=self._key, digest_size=16).digest(), time.monotonic()
        left, at = self._left.pop(key, (float(self._calls), now))
        left = min(float(self._calls), left + (now - at) * self._calls / 60)
        self._left[key] = (max(0.0, left - 1), now)
        if len(self._left) > _MOST_KEYS:
            self._left.popitem(last=False)
        if left < 1:
            raise WebhookRejected("too_many_requests", status=429, hint="Wait a second and send it again.")


def _given(url: str) -> str:
    """The token of one of our own URLs: `/webhooks/<platform>/<account>/<token>`, or `?token=` there."""
    parts = urlsplit(url)
    in_path = [unquote_plus(part) for part in parts.path.split("/")[4:]]
    in_query = parse_qs(parts.query, keep_blank_values=True, errors="replace").get("token", [])
    tokens = in_path + in_query
    return tokens[0] if len(tokens) == 1 else ""


def _masked(url: str, token: UrlToken) -> str:
    """The URL with the token, wherever it stands and however it is escaped, told by its hash."""
    parts = urlsplit(url)

    def mask(text: str) -> str:
        return token.short if url_tokens.hash_of(unquote_plus(text)) == token.hash else text

    pairs = (pair.partition("=") for pair in parts.query.split("&"))
    query = "&".join(f"{name}{equals}{mask(value)}" for name, equals, value in pairs)
    return urlunsplit(parts._replace(path="/".join(map(mask, parts.path.split("/"))), query=query))
