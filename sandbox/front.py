"""The front of every stand-in: reads the call, lets faults strike, asks the platform to admit it, answers and logs."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from datetime import UTC, datetime

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.calls import Call
from sandbox.faults import Fault
from sandbox.standin import RefusalError, StandIn

_HTML = "<!DOCTYPE html><html><head><title>We'll be right back</title></head><body><h1>502</h1></body></html>"


class Front:
    """The ASGI app of one stand-in; calls under `/_sandbox` go to the control API instead."""

    def __init__(self, standin: StandIn, control: ASGIApp) -> None:
        self.standin, self.control = standin, control
        self._ways = standin.ways()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["path"].startswith("/_sandbox"):
            await self.control(scope, receive, send)
            self.standin.world.journal.flush()
            return
        call = await _read(scope, receive)
        started, at = time.perf_counter(), datetime.now(UTC).isoformat(timespec="milliseconds")
        fault = self.standin.faults.next_for(call.method, call.path)
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        response = self._answer(call, fault)
        self.standin.world.journal.flush()
        cut = fault is not None and fault.kind == "cut"
        spent = (time.perf_counter() - started) * 1000
        status = 0 if cut else response.status_code
        self.standin.world.calls.add(self.standin.name, call, status, at, spent, fault.kind if fault else None)
        if cut:
            await _cut(send)
        else:
            await response(scope, receive, send)

    def _answer(self, call: Call, fault: Fault | None) -> Response:
        self.standin.settle()
        kind = fault.kind if fault else ""
        spared = fault is not None and kind in ("429", "500", "html", "cut") and not fault.effect
        response = Response() if spared else self._handle(call)
        if fault and kind == "429":
            response = self.standin.error(429, call, fault.seconds)
        elif kind == "500":
            response = self.standin.error(500, call)
        elif kind == "html":
            response = HTMLResponse(_HTML, 502)
        elif kind == "truncated":
            half = bytes(response.body)[: len(response.body) // 2]
            response = Response(half, response.status_code, media_type=response.headers.get("content-type"))
        self.standin.finish(call, response)
        return response

    def _handle(self, call: Call) -> Response:
        try:
            refusal = self.standin.admit(call)
            if refusal is not None:
                return refusal
            for way in self._ways:
                parameters = way.match(call.path)
                if parameters is not None:
                    call.path_params = parameters
                    handler = way.handlers.get(call.method)
                    return handler(call) if handler else self.standin.error(405, call)
            return self.standin.error(404, call)
        except RefusalError as refused:
            return refused.response
        except Exception:
            # A mistake of the sandbox itself: it must be seen, and the client must still get an answer.
            traceback.print_exc(file=sys.stderr)
            return self.standin.error(500, call)


async def _read(scope: Scope, receive: Receive) -> Call:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Call(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, body)


async def _cut(send: Send) -> None:
    """Promise more than is sent and return: the server then closes the connection in the middle of the answer."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
