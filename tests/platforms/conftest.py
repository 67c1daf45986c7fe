"""The sandbox, an account of each platform in it, and signed requests, for the platforms' own tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dlt_sources import http
from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import Webhook, WebhookRequest
from sandbox.client import Sandbox
from sandbox.server import running
from tests.platforms.servers import Answering, answering

RECEIVED = datetime(2026, 11, 22, 12, tzinfo=UTC)


def refusal(webhook: Webhook, request: WebhookRequest, account: Account) -> str:
    """Why a request is refused; nothing when it is accepted."""
    try:
        webhook.verify(request, account)
    except WebhookRejected as refused:
        return refused.reason
    return ""


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("platforms")
    with running(home, people=80, seed=11, unlimited=True, job_seconds=0.02) as started:
        yield started


@pytest.fixture
def calls(sandbox: Sandbox) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """The calls of this test alone, bodies decoded where they are JSON."""
    sandbox.clear_calls()

    def made(**wanted: str) -> list[dict[str, Any]]:
        return [{**call, "body": _decoded(call["body"])} for call in sandbox.calls(**wanted)]

    yield made
    sandbox.behave()


def _decoded(body: Any) -> Any:
    try:
        return json.loads(body)
    except (TypeError, ValueError):
        return body


@pytest.fixture
def account(request: pytest.FixtureRequest, sandbox: Sandbox) -> Account:
    """The account of the platform whose folder the test stands in."""
    name = request.path.parent.name
    return Account(name, "main", "acme", "US", ("US",), {**sandbox.credentials[name], **sandbox.config[name]})


@pytest.fixture
def bad_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Answering]]:
    monkeypatch.setattr(http, "_RETRIES", http._NO_RETRIES)
    with answering() as serving:
        yield serving


@pytest.fixture
def payload(request: pytest.FixtureRequest) -> Callable[[str], bytes]:
    """A file of the `payloads/` folder beside the test, as it would arrive."""

    def read(name: str) -> bytes:
        return (request.path.parent / "payloads" / name).read_bytes().strip()

    return read


@pytest.fixture
def received() -> Callable[..., WebhookRequest]:
    def make(
        body: bytes, url: str = "https://hooks.example.test/webhooks", method: str = "POST", **headers: str
    ) -> WebhookRequest:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return WebhookRequest(method=method, url=url, headers=names, body=body, received_at=RECEIVED)

    return make
