"""The receiver: verifies a webhook request in memory, makes it durable, then acknowledges it.

    POST or GET /webhooks/{platform}/{account}
    GET /health

Answers: the platform's own ACCEPTED once the request is durable; what the platform needs when it is refused; 404 for
an account that is not configured; 413 beyond 5 MB; 408 when the body does not arrive; 503 with Retry-After when the
request cannot be kept. It decides nothing else, opens no database and calls nobody.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import LANES, Delivery, Lane, WebhookRequest
from orchestration.home import Home
from orchestration.landing.commit import GroupCommit, NotDurableError
from orchestration.landing.endpoints import Endpoint, Endpoints
from orchestration.landing.files import Landed, Landing, new_id
from orchestration.landing.lanes import lane_of
from orchestration.landing.leaving import CatalogueUnreadableError, Leaving
from orchestration.landing.rejected import Rejections

MOST_BODY_BYTES = 5 * 1024 * 1024
#: Bodies being read at the same time, all together: beyond it senders are asked to come back.
MOST_READING_BYTES = 128 * 1024 * 1024
BODY_SECONDS = 15.0
RETRY_SECONDS = "5"
#: Headers of the connection and of other people's secrets; what a platform signs or names itself by is kept.
_DROPPED = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection"),
        *("content-length", "cookie", "expect", "host", "keep-alive", "pragma", "proxy-authorization", "te"),
        *("trailer", "transfer-encoding", "upgrade", "user-agent"),
    )
)

_log = logging.getLogger(__name__)


class _RefusedError(Exception):
    """A request that gets another answer than ACCEPTED."""

    def __init__(self, reason: str, status: int, body: bytes = b"") -> None:
        super().__init__(reason)
        self.reason, self.status, self.body = reason, status, body


class Receiver:
    """What the requests of one process share."""

    def __init__(self, home: Home, endpoints: Endpoints, public_url: str) -> None:
        self.endpoints = endpoints
        self.public_url = public_url.rstrip("/")
        self.landing = Landing(home.landing)
        self.leaving = Leaving(home.published)
        self.rejections = Rejections(home.rejected)
        #: (platform, account, word) of what was landed; the word is a lane or `unknown_topic`.
        self.landed: Counter[tuple[str, str, str]] = Counter()
        self._commits: dict[Lane, GroupCommit] = {}
        self._reading = 0

    @asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        """Open the landing zone; at the end commit what waits."""
        self.landing.create()
        self.landing.sweep()
        self._commits = {lane: GroupCommit(self.landing, lane) for lane in LANES}
        try:
            yield
        finally:
            await asyncio.gather(*(commit.close() for commit in self._commits.values()))
            self.rejections.flush()

    async def webhook(self, request: Request) -> Response:
        """Take one webhook request."""
        platform, account = request.path_params["platform"], request.path_params["account"]
        try:
            endpoint = self._endpoint(platform, account)
            body = await self._body(request)
            try:
                await self._land(request, endpoint, body)
            except WebhookRejected as error:
                raise _RefusedError(error.reason, error.status, body) from None
        except ClientDisconnect:
            return Response(status_code=400)
        except _RefusedError as refused:
            announced = request.headers.get("content-length", "")
            self.rejections.refuse(platform, account, refused.reason, refused.status, refused.body, announced)
            return _refusal(refused.status)
        accepted = endpoint.webhook.ACCEPTED
        return Response(accepted.body, accepted.status, media_type=accepted.media_type)

    async def health(self, _request: Request) -> Response:
        """Say that the process answers; nothing about what it has received."""
        return JSONResponse({"status": "ok"})

    def _endpoint(self, platform: str, account: str) -> Endpoint:
        endpoint = self.endpoints.get(platform, account)
        if endpoint is None:
            if platform in self.endpoints.broken:
                raise _RefusedError("not_configured_yet", 503)
            raise _RefusedError("unknown_account", 404)
        return endpoint

    async def _body(self, request: Request) -> bytes:
        """Read the body, never more of it than is allowed, whatever its announced length says."""
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > MOST_BODY_BYTES:
            raise _RefusedError("too_large", 413)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._reading += len(chunk)
                    if size > MOST_BODY_BYTES:
                        raise _RefusedError("too_large", 413)
                    if self._reading > MOST_READING_BYTES:
                        raise _RefusedError("busy", 503)
                    parts.append(chunk)
        except TimeoutError:
            raise _RefusedError("body_too_slow", 408) from None
        finally:
            self._reading -= size
        return b"".join(parts)

    async def _land(self, request: Request, endpoint: Endpoint, body: bytes) -> None:
        account = endpoint.account
        received = WebhookRequest(
            method=request.method,
            url=self._url(request),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]},
            body=body,
            received_at=datetime.now(UTC),
        )
        endpoint.webhook.verify(received, account)
        delivery = self._parse(endpoint, received)
        lane = lane_of(delivery.events, self._leaving())
        landed = Landed(
            id=new_id(),
            received_at=received.received_at,
            platform=account.platform,
            account=account.name,
            lane=lane,
            topic=delivery.topic,
            delivery_id=delivery.id,
            method=received.method,
            url=received.url,
            headers={name: value for name, value in received.headers.items() if name not in _DROPPED},
            body=body,
        )
        try:
            await self._commits[lane].add(landed.line())
        except NotDurableError as error:
            _log.error("A webhook of %s could not be kept (%s); it was asked to come back.", account.key, error)
            raise _RefusedError("not_durable", 503) from None
        self.landed[account.platform, account.name, lane] += 1
        if not delivery.events:
            self.landed[account.platform, account.name, "unknown_topic"] += 1

    def _parse(self, endpoint: Endpoint, received: WebhookRequest) -> Delivery:
        """Read the acts. A request that is genuine and breaks the parser is not acknowledged: it may be an opt-out."""
        try:
            return endpoint.webhook.parse(received, endpoint.account)
        except WebhookRejected:
            raise
        except Exception as error:
            _log.error("A webhook of %s cannot be read (%s).", endpoint.account.key, type(error).__name__)
            raise _RefusedError("unreadable", 503) from None

    def _leaving(self) -> frozenset[str]:
        try:
            return frozenset(self.leaving.current().scopes)
        except CatalogueUnreadableError as error:
            _log.warning("%s Until then events travel the lane their platform declares.", error)
            return frozenset()

    def _url(self, request: Request) -> str:
        """The URL that the sender used: behind a proxy only the configuration knows its scheme and host."""
        scope = request.scope
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        base = self.public_url or f"{scope['scheme']}://{request.headers.get('host', '')}"
        return f"{base}{path}?{query}" if query else f"{base}{path}"


def app(home: Home, endpoints: Endpoints | None = None) -> Starlette:
    """The receiver as an ASGI app; `endpoints` are read from the home's configuration when not given."""
    receiver = Receiver(home, endpoints or Endpoints.load(home.folder), _public_url(home.folder))
    made = Starlette(
        routes=[
            Route("/webhooks/{platform}/{account}", receiver.webhook, methods=["GET", "POST"]),
            Route("/health", receiver.health, methods=["GET"]),
        ],
        lifespan=receiver.running,
    )
    made.state.receiver = receiver
    return made


def _public_url(folder: Path) -> str:
    """`[receiver] public_url` of .dlt/config.toml, or RECEIVER__PUBLIC_URL; empty: the URL as received."""
    if configured := os.environ.get("RECEIVER__PUBLIC_URL"):
        return configured
    path = folder / ".dlt" / "config.toml"
    if not path.exists():
        return ""
    return str(tomllib.loads(path.read_text()).get("receiver", {}).get("public_url", ""))


def _refusal(status: int) -> Response:
    headers = {"Retry-After": RETRY_SECONDS} if status == 503 else {}
    if status in (408, 413):
        headers["Connection"] = "close"
    return Response(status_code=status, headers=headers)
