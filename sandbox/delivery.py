"""Sending webhooks as the platforms do: signed, timed, repeated on failure, and doubled or delayed on demand."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any, TypeAlias

import requests

from sandbox.standin import StandIn, Webhook

ACCOUNT = "main"
KEPT_DELIVERIES = 20_000

# Status, kind of error, milliseconds.
_Answer: TypeAlias = tuple[int | None, str | None, float]


class Courier:
    """Delivers webhooks and remembers how it went."""

    def __init__(self) -> None:
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=KEPT_DELIVERIES)
        self._background: set[asyncio.Task[None]] = set()
        self._idle: list[requests.Session] = []

    async def deliver(self, standin: StandIn, webhook: Webhook) -> dict[str, Any]:
        """Send one webhook to the receiver and to whoever subscribed by API; the answer of the first.

        `status` is None when nothing was sent (no receiver, or late on demand) or nobody answered.
        """
        targets = _targets(standin, webhook)
        nothing = {"delivery_id": webhook.delivery_id, "topic": webhook.topic, "status": None, "ms": 0.0, "late": 0.0}
        if not targets:
            return nothing
        late = standin.faults.next_webhook("late_webhook")
        if late:
            self._later(self._send_all(standin, webhook, targets, late.seconds))
            return nothing | {"late": late.seconds}
        first, rest = targets[0], targets[1:]
        if rest:
            self._later(self._send_all(standin, webhook, rest, 0.0))
        outcome = await self._send(standin, webhook, first, 1)
        if standin.faults.next_webhook("duplicate_webhook"):
            await self._send(standin, webhook, first, 1)
        return nothing | outcome

    async def close(self) -> None:
        """Give up what is still to be sent."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _send_all(self, standin: StandIn, webhook: Webhook, targets: list[tuple[str, str]], delay: float) -> None:
        await asyncio.sleep(delay)
        for target in targets:
            await self._send(standin, webhook, target, 1)

    async def _send(self, standin: StandIn, webhook: Webhook, target: tuple[str, str], attempt: int) -> dict[str, Any]:
        url, signed_url = target
        body = webhook.again(attempt - 1) if webhook.again and attempt > 1 else webhook.body
        headers = {**webhook.headers, **webhook.sign(signed_url, body)}
        sent_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        status, error, spent = await self._call(webhook.method, url, body, headers, standin.webhook_timeout)
        outcome = {
            "platform": standin.name, "topic": webhook.topic, "delivery_id": webhook.delivery_id, "url": url,
            "attempt": attempt, "sent_at": sent_at, "status": status, "error": error, "ms": spent,
        }  # fmt: skip
        self.deliveries.append(outcome)
        if not (status and 200 <= status < 300) and standin.webhook_retries:
            self._later(self._retry(standin, webhook, target, attempt))
        return outcome

    async def _retry(self, standin: StandIn, webhook: Webhook, target: tuple[str, str], attempt: int) -> None:
        delays = standin.world.settings.retry_delays[: standin.webhook_retries]
        if attempt > len(delays):
            standin.abandoned(target[0])
            standin.world.journal.flush()
            return
        await asyncio.sleep(delays[attempt - 1])
        await self._send(standin, webhook, target, attempt + 1)

    async def _call(self, method: str, url: str, body: bytes, headers: dict[str, str], timeout: float) -> _Answer:
        """Call in a thread that nobody waits for at the end: a receiver that hangs must not keep the sandbox alive."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[_Answer] = loop.create_future()

        def tell(answer: _Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        def run() -> None:
            session = self._idle.pop() if self._idle else _new_session()
            answer = _call(session, method, url, body, headers, timeout)
            self._idle.append(session)
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, answer)

        threading.Thread(target=run, daemon=True).start()
        return await answered

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _targets(standin: StandIn, webhook: Webhook) -> list[tuple[str, str]]:
    """Where a webhook goes, as (address, address that it is signed for), each once.

    A subscription made for the public address of the receiver goes to the receiver: no proxy stands between them here.
    """
    if webhook.to:
        return [(webhook.to, webhook.to)]
    settings = standin.world.settings
    receiver = (settings.receiver or "").rstrip("/")
    public = (settings.public_url or receiver).rstrip("/")
    path = f"/webhooks/{standin.name}/{ACCOUNT}"
    signed = [public + path] if receiver else []
    signed += [url for url in dict.fromkeys(webhook.more_targets) if url not in signed]
    behind = f"{public}/" if receiver else "\0"
    return [(receiver + url.removeprefix(public) if url.startswith(behind) else url, url) for url in signed]


def _new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _call(
    session: requests.Session, method: str, url: str, body: bytes, headers: dict[str, str], timeout: float
) -> _Answer:
    started = time.perf_counter()
    status: int | None = None
    error: str | None = None
    try:
        answer = session.request(method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False)
        status = answer.status_code
    except requests.RequestException as failed:
        error = type(failed).__name__
    return status, error, round((time.perf_counter() - started) * 1000, 3)
