"""The receiver's figures in the text format of Prometheus: GET /metrics.

Labels are names of the configuration and fixed words; whatever else a URL may hold counts as "other".
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from dlt_sources.platform import LANES
from orchestration.landing.endpoints import Endpoints
from orchestration.landing.files import Landing, StageCount
from orchestration.landing.health import free_bytes
from orchestration.landing.rejected import Rejections

Handler = Callable[[Request], Awaitable[Response]]
_OTHER = "other"
#: Counting 100,000 files takes some hundredths of a second; asking again within this time takes none.
_KEPT_SECONDS = 5.0
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


@dataclass
class _Waiting:
    """The landing zone's files, counted at most every few seconds."""

    landing: Landing
    _counted: float = field(default=float("-inf"))
    _counts: list[StageCount] = field(default_factory=list)

    def counts(self) -> list[StageCount]:
        if time.monotonic() - self._counted > _KEPT_SECONDS:
            self._counts, self._counted = self.landing.counts(), time.monotonic()
        return self._counts


class Metrics(Collector):
    """One receiver's figures; counted where things happen, put together when asked for."""

    def __init__(self, endpoints: Endpoints, landing: Landing, landed: Tally[tuple[str, str, str]],
                 rejections: Rejections) -> None:  # fmt: skip
        self.endpoints, self.landing, self.landed, self.rejections = endpoints, landing, landed, rejections
        self._waiting = _Waiting(landing)
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "audiences_webhook_answer_seconds", "From the request's head to the answer, body and disk included.",
            ["platform"], buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def timed(self, handler: Handler, platform: str = "") -> Handler:
        """The handler, with its answers timed; the path names the platform where it is not given."""
        names = {name for name, _ in self.endpoints.by_name}

        async def take(request: Request) -> Response:
            named = platform or str(request.path_params.get("platform", ""))
            with self._seconds.labels(named if named in names else _OTHER).time():
                return await handler(request)

        return take

    async def metrics(self, _request: Request) -> Response:
        """GET /metrics."""
        text = await asyncio.to_thread(generate_latest, self.registry)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})

    def collect(self) -> Iterator[Metric]:
        """What was counted, and what waits."""
        landed = CounterMetricFamily(
            "audiences_webhooks_landed", "Acknowledged and durable.", labels=["platform", "account", "lane"]
        )
        silent = CounterMetricFamily(
            "audiences_webhooks_unknown_topic", "Landed without an act we know.", labels=["platform", "account"]
        )
        # Zeros from the start, so that a rate and an absence can be told apart.
        none_yet = {(*sender, word): 0 for sender in self.endpoints.by_name for word in (*LANES, "unknown_topic")}
        for (platform, account, word), count in sorted({**none_yet, **self.landed.copy()}.items()):
            if word == "unknown_topic":
                silent.add_metric([platform, account], count)
            else:
                landed.add_metric([platform, account, word], count)
        yield landed
        yield silent
        names = ["platform", "account", "reason"]
        yield self._known("audiences_webhooks_refused", "Refused, by reason.", names, self.rejections.counts)
        text = "Times that a sender's refused requests were logged as a loss."
        yield self._known("audiences_webhooks_loss_alarms", text, names, self.rejections.alarms)
        with contextlib.suppress(OSError):  # no figures of a disk that cannot be read; /healthz says so
            yield from list(self._disk())

    def _disk(self) -> Iterator[Metric]:
        files = GaugeMetricFamily("audiences_landing_files", "Landing files.", labels=["lane", "stage"])
        oldest = GaugeMetricFamily(
            "audiences_landing_oldest_seconds", "Age of the oldest landing file.", labels=["lane", "stage"]
        )
        for one in self._waiting.counts():
            files.add_metric([one.lane, one.stage], one.files)
            oldest.add_metric([one.lane, one.stage], one.oldest_seconds)
        yield files
        yield oldest
        free = free_bytes(self.landing)
        yield GaugeMetricFamily("audiences_landing_free_bytes", "Free on the landing zone's disk.", value=free)

    def _known(self, name: str, text: str, labels: list[str], counts: Tally[tuple[str, str, str]]) -> Metric:
        """Counts by platform, account and reason; what is not configured is one sender."""
        sums: Tally[tuple[str, str, str]] = Tally()
        platforms = {platform for platform, _ in self.endpoints.by_name} | self.endpoints.broken
        for (platform, account, reason), count in counts.copy().items():
            shown = platform if platform in platforms else _OTHER
            sums[shown, account if (platform, account) in self.endpoints.by_name else _OTHER, reason] += count
        family = CounterMetricFamily(name, text, labels=labels)
        for key, count in sorted(sums.items()):
            family.add_metric(list(key), count)
        return family
