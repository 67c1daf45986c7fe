"""The receiver: verifies a webhook request in memory, makes it durable, then acknowledges it.

    POST or GET /webhooks/{platform}/{account}          a platform that signs
    POST or GET /webhooks/{platform}/{account}/{token}  one that does not; also as ?token=, and at its own path
    GET /healthz    whether a webhook could be landed now
    GET /metrics    figures for Prometheus

Answers: the platform's own ACCEPTED once the request is durable; what the platform needs when it is refused; 404 for
an account that is not configured; 413 beyond 5 MB; 408 when the body does not arrive; 503 with Retry-After when the
request cannot be kept. It decides nothing else and calls nobody; the one database it reads holds the tokens of URLs.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_sources import registry
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import LANES, Delivery, Lane, Platform, WebhookRequest
from dlt_sources.url_tokens import UrlToken
from orchestration.home import Home
from orchestration.landing import answers, settings, unsigned
from orchestration.landing.arrivals import Arrivals
from orchestration.landing.bodies import Bodies
from orchestration.landing.commit import GroupCommit, NotDurableError
from orchestration.landing.endpoints import Endpoint, Endpoints
from orchestration.landing.files import Landed, Landing, new_id
from orchestration.landing.health import Health
from orchestration.landing.lanes import lane_of
from orchestration.landing.leaving import CatalogueUnreadableError, Leaving
from orchestration.landing.metrics import Handler, Metrics
from orchestration.landing.rejected import Rejections

#: Headers of the connection and of other people's secrets; what a platform signs or names itself by is kept.
_DROPPED = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection"),
        *("content-length", "cookie", "expect", "host", "keep-alive", "pragma", "proxy-authorization", "te"),
        *("trailer", "transfer-encoding", "upgrade", "user-agent"),
    )
)

_log = logging.getLogger(__name__)


class _Taken:
    """What is known of a request so far; its refusal is told by it."""

    def __init__(self, platform: str, account: str) -> None:
        self.platform, self.account, self.body = platform, account, b""
        self.token: UrlToken | None = None


class Receiver:
    """What the requests of one process share."""

    def __init__(self, home: Home, endpoints: Endpoints, public_url: str) -> None:
        self.home = home
        self.endpoints = endpoints
        self.public_url = public_url.rstrip("/")
        self.landing = Landing(home.landing)
        self.leaving = Leaving(home.published)
        self.rejections = Rejections(home.rejected)
        #: (platform, account, word) of what was landed; the word is a lane or `unknown_topic`.
        self.landed: Counter[tuple[str, str, str]] = Counter()
        self.arrivals = Arrivals(home.landing)
        self._commits: dict[Lane, GroupCommit] = {}
        self._bodies = Bodies()

    @asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        """Open the landing zone; at the end commit what waits."""
        self.landing.create()
        self.landing.sweep()
        self._commits = {lane: GroupCommit(self.landing, lane) for lane in LANES}
        try:
            async with unsigned.opened(self.home, self.endpoints.unsigned()) as self._door, self.arrivals.kept():
                yield
        finally:
            await asyncio.gather(*(commit.close() for commit in self._commits.values()))
            self.rejections.flush()

    async def webhook(self, request: Request) -> Response:
        """Take one webhook request."""
        return await self._take(request, request.path_params["platform"], request.path_params["account"])

    def at_own_path(self, platform: Platform) -> Handler:
        """What takes the requests at a platform's own address, where the token says which account is meant."""

        async def take(request: Request) -> Response:
            return await self._take(request, platform.name, "")

        return take

    async def _take(self, request: Request, platform: str, account: str) -> Response:
        senders = self.endpoints.of(platform)
        signed = all(sender.signed for sender in senders)
        if signed and "token" in request.path_params:
            return Response(status_code=404)
        if not signed and (answer := unsigned.without_effect(request)) is not None:
            return answer
        taken = _Taken(platform, account)
        try:
            endpoint = self._endpoint(platform, account) if account or not senders else senders[0]
            taken.body = await self._bodies.read(request)
            received = self._received(request, taken.body)
            if not signed:
                taken.token = await self._door.admit(received, endpoint.webhook)
                endpoint = self._meant(taken)
            await self._land(received, endpoint, taken.token)
        except ClientDisconnect:
            return Response(status_code=400)
        except WebhookRejected as error:
            return self._refused(request, taken, error, senders[0] if senders else None)
        return answers.acceptance(endpoint)

    def _endpoint(self, platform: str, account: str) -> Endpoint:
        endpoint = self.endpoints.get(platform, account)
        if endpoint is None:
            if platform in self.endpoints.broken:
                raise WebhookRejected("not_configured_yet", status=503)
            raise WebhookRejected("unknown_account", status=404)
        return endpoint

    def _meant(self, taken: _Taken) -> Endpoint:
        """The account that a token speaks for; one of another account is as unknown here as one never made."""
        platform, _, account = taken.token.account.partition(":") if taken.token else ("", "", "")
        if platform != taken.platform or taken.account not in ("", account):
            taken.token = None
            raise WebhookRejected("unknown_token", status=403)
        taken.account = account
        return self._endpoint(platform, account)

    def _refused(self, request: Request, taken: _Taken, error: WebhookRejected, sender: Endpoint | None) -> Response:
        """Note a refusal and answer it."""
        short = taken.token.short if taken.token else ""
        about, announced = taken.body or request.scope["query_string"], request.headers.get("content-length", "")
        self.rejections.refuse(taken.platform, taken.account, error.reason, error.status, about, announced, short)
        if error.alarm:
            self.rejections.lost(taken.platform, taken.account, error.reason, short)
        return answers.refusal(error, sender)

    def _received(self, request: Request, body: bytes) -> WebhookRequest:
        return WebhookRequest(
            method=request.method,
            url=self._url(request),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]},
            body=body,
            received_at=datetime.now(UTC),
        )

    async def _land(self, received: WebhookRequest, endpoint: Endpoint, token: UrlToken | None) -> None:
        account = endpoint.account
        endpoint.webhook.verify(received, account)
        if token is not None:
            received = unsigned.kept(endpoint.webhook, received, token)
        delivery = self._parse(endpoint, received)
        if token is not None:
            self._door.count(token, [one for event in delivery.events for one in event.identifiers])
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
            body=received.body,
        )
        try:
            await self._commits[lane].add(landed.line())
        except NotDurableError as error:
            _log.error("A webhook of %s could not be kept (%s); it was asked to come back.", account.key, error)
            raise WebhookRejected("not_durable", status=503) from None
        self.landed[account.platform, account.name, lane] += 1
        self.arrivals.note(account.platform, account.name, delivery.topic, received.received_at)
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
            raise WebhookRejected("unreadable", status=503) from None

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


def app(home: Home, endpoints: Endpoints | None = None, *, with_metrics: bool = True) -> Starlette:
    """The receiver as an ASGI app; `endpoints` are read from the home's configuration when not given.

    Its figures are `app.state.metrics`; `with_metrics` shows them at /metrics.
    """
    receiver = Receiver(home, endpoints or Endpoints.load(home.folder), settings.public_url(home.folder))
    health = Health(receiver.landing, settings.free_disk_floor(home.folder))
    metrics = Metrics(receiver.endpoints, receiver.landing, receiver.landed, receiver.rejections)
    webhook = metrics.timed(receiver.webhook)
    made = Starlette(
        routes=[
            Route("/webhooks/{platform}/{account}", webhook, methods=["GET", "POST"]),
            Route("/webhooks/{platform}/{account}/{token}", webhook, methods=unsigned.METHODS),
            *(
                Route(
                    platform.path,
                    metrics.timed(receiver.at_own_path(platform), platform.name),
                    methods=unsigned.METHODS,
                )
                for platform in registry.all_platforms()
                if platform.path
            ),
            Route("/healthz", health.healthz, methods=["GET"]),
            *([Route("/metrics", metrics.metrics, methods=["GET"])] if with_metrics else []),
        ],
        lifespan=receiver.running,
    )
    made.state.receiver, made.state.metrics = receiver, metrics
    return made
