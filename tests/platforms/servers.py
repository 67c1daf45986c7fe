"""Small servers on loopback: one answers everything the same (badly), one by a function, one catches webhooks."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dlt_sources.platform import WebhookRequest


@dataclass
class Answering:
    """What the server says to every call; `cut` promises more bytes than it sends."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    echo: bool = False
    #: What is said once, one by one, before all this.
    first: list[Answering] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)


@contextmanager
def answering() -> Iterator[tuple[str, Answering]]:
    """A server whose answers are changed through the returned value."""
    told = Answering()

    class Handler(_Quiet):
        def answer(self, body: bytes) -> None:
            told.calls.append(f"{self.command} {self.path}")
            say = told.first.pop(0) if told.first else told
            # With `echo` the error repeats whatever it was sent, as platforms like to do.
            content = b'{"errors":[{"detail":"%s"}],"message":"%s"}' % (_escaped(body), _escaped(self.path.encode()))
            self.reply(say.status, content if say.echo else say.body, say.headers, cut=say.cut)

    with _serving(Handler) as url:
        yield url, told


@dataclass(frozen=True)
class Asked:
    """A call as a server got it; `body` is decoded where it is JSON."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any


@contextmanager
def replying(reply: Callable[[Asked], tuple[int, Any]]) -> Iterator[tuple[str, list[Asked]]]:
    """A server whose answers (status and what becomes JSON; None for no body) a function makes; keeps its calls."""
    calls: list[Asked] = []

    class Handler(_Quiet):
        def answer(self, body: bytes) -> None:
            url = urlsplit(self.path)
            asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), json.loads(body) if body else None)
            calls.append(asked)
            status, said = reply(asked)
            self.reply(status, b"" if said is None else json.dumps(said).encode(), {})

    with _serving(Handler) as url:
        yield url, calls


@contextmanager
def catching(public_url: str) -> Iterator[tuple[str, list[WebhookRequest]]]:
    """A receiver that says 200 to everything and keeps the requests as the real one would pass them on."""
    caught: list[WebhookRequest] = []

    class Handler(_Quiet):
        def answer(self, body: bytes) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            caught.append(
                WebhookRequest(
                    method=self.command,
                    url=public_url + self.path,
                    headers=headers,
                    body=body,
                    received_at=datetime.now(UTC),
                )
            )
            self.reply(200, b"", {})

    with _serving(Handler) as url:
        yield url, caught


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # head and body in one packet: two would wait for each other

    def answer(self, body: bytes) -> None:
        raise AssertionError("every handler answers")

    def reply(self, status: int, body: bytes, headers: Mapping[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + (100 if cut else 0)))
        self.end_headers()
        self.wfile.write(body)
        if cut:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _all(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _all  # noqa: N815 (the base class wants these names)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are part of the tests."""


@contextmanager
def _serving(handler: type[_Quiet]) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _escaped(body: bytes) -> bytes:
    return body.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b" ")
