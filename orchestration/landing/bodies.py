"""Bodies of webhook requests: read within bounds of size, time and memory, whatever a sender announces."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from dlt_sources.errors import WebhookRejected

MOST_BODY_BYTES = 5 * 1024 * 1024
#: Bodies being read at the same time, all together: beyond it senders are asked to come back.
MOST_READING_BYTES = 128 * 1024 * 1024
BODY_SECONDS = 15.0


class Bodies:
    """Reads the bodies of one process, and knows how much of them is in memory now."""

    def __init__(self) -> None:
        self._reading = 0

    async def read(self, request: Request) -> bytes:
        """The whole body; WebhookRejected 413 when too large, 408 when it does not come, 503 while too many are."""
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > MOST_BODY_BYTES:
            raise WebhookRejected("too_large", status=413)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._reading += len(chunk)
                    if size > MOST_BODY_BYTES:
                        raise WebhookRejected("too_large", status=413)
                    if self._reading > MOST_READING_BYTES:
                        raise WebhookRejected("busy", status=503)
                    parts.append(chunk)
        except TimeoutError:
            raise WebhookRejected("body_too_slow", status=408) from None
        finally:
            self._reading -= size
        return b"".join(parts)
