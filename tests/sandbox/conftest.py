"""A small sandbox for a whole module, a receiver that remembers, and plain HTTP sessions with the right credentials."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from sandbox import Sandbox, running

AS_OF = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Sixty people at a fixed moment, no rate limits, jobs of a twentieth of a second."""
    home = tmp_path_factory.mktemp("sandbox")
    with running(home, people=60, seed=3, as_of=AS_OF, unlimited=True, job_seconds=0.05) as handle:
        yield handle


@pytest.fixture
def shopify(sandbox: Sandbox) -> requests.Session:
    session = requests.Session()
    session.headers["X-Shopify-Access-Token"] = sandbox.credentials["shopify"]["access_token"]
    return session


@pytest.fixture
def klaviyo(sandbox: Sandbox) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Klaviyo-API-Key {sandbox.credentials['klaviyo']['api_key']}"
    session.headers["revision"] = sandbox.config["klaviyo"]["revision"]
    return session


@pytest.fixture
def hubspot(sandbox: Sandbox) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {sandbox.credentials['hubspot']['access_token']}"
    return session


@pytest.fixture
def twilio(sandbox: Sandbox) -> requests.Session:
    session = requests.Session()
    known = sandbox.credentials["twilio"]
    session.auth = (known["account_sid"], known["auth_token"])
    return session


@pytest.fixture
def aevent() -> requests.Session:
    return requests.Session()


@dataclass
class Receiver:
    """A webhook receiver: answers with the statuses it is given, the last one for ever, and keeps what came."""

    url: str
    statuses: list[int] = field(default_factory=lambda: [200])
    received: list[dict[str, Any]] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait(self, count: int = 1) -> None:
        """Until `count` more webhooks have come, 5 seconds each at most."""
        for _ in range(count):
            assert self.arrived.acquire(timeout=5), "no webhook came"


@pytest.fixture
def receiver(sandbox: Sandbox) -> Iterator[Receiver]:
    found: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            me = found[0]
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
            me.received.append(sent)
            status = me.statuses.pop(0) if len(me.statuses) > 1 else me.statuses[0]
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            me.arrived.release()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.append(Receiver(f"http://127.0.0.1:{server.server_port}"))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    sandbox.settings(receiver=found[0].url, retry_delays=[0.01] * 8)
    yield found[0]
    sandbox.settings(receiver=None, public_url=None)
    server.shutdown()
    server.server_close()
