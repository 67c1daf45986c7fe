"""Platforms that sign nothing: the token in the URL, in the path or in the query, is the secret."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlt_sources.accounts import Account
from dlt_sources.platform import Answer, Delivery, WebhookRequest
from orchestration.home import Home
from orchestration.landing.endpoints import Endpoint, Endpoints
from orchestration.landing.receiver import app
from tests.landing.senders import Request, send, serving
from tests.landing.setpixel import SHORT, TOKEN, landed, make_setpixel_home

FORM = "/webhooks/aevent/main"


def _parse(request: WebhookRequest, account: Account) -> Delivery:
    return Delivery(topic="form", id=hashlib.sha256(request.body).hexdigest(), events=())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_setpixel_home(tmp_path)


@pytest.fixture
def port(home: Home) -> Iterator[int]:
    """A receiver with one sender that brings nothing but what every webhook module must."""
    webhook = SimpleNamespace(ACCEPTED=Answer(), verify=lambda request, account: None, parse=_parse)
    account = Account("aevent", "main", "acme", "", (), {})
    endpoints = Endpoints({("aevent", "main"): Endpoint(account, webhook, signed=False)})
    with serving(app(home, endpoints)) as port:
        yield port


def post(port: int, path: str, method: str = "POST") -> int:
    headers = {"Content-Type": "application/json", "X-Forwarded-Uri": path}
    return send(port, Request(path, b'{"email":"a@x.com"}' if method == "POST" else b"", headers, method))[0]


@pytest.mark.parametrize(
    "path", [f"{FORM}/{TOKEN}", f"{FORM}?token={TOKEN}", f"{FORM}?a=b+c&token={TOKEN}", f"{FORM}/%63{TOKEN[1:]}"]
)
def test_a_token_in_path_or_query_lets_a_request_in_and_does_not_land(home: Home, port: int, path: str) -> None:
    assert post(port, path) == 200
    [one] = landed(home)
    assert SHORT in one.url
    assert TOKEN[1:] not in one.line().decode()
    assert one.body == b'{"email":"a@x.com"}'
    assert dict(one.headers) == {"content-type": "application/json"}
    assert one.url == "https://hooks.example.test" + path.replace(TOKEN, SHORT).replace(f"%63{TOKEN[1:]}", SHORT)


@pytest.mark.parametrize(
    "path", [FORM, f"{FORM}/wrong", f"{FORM}?token=", f"{FORM}?token=wrong", f"{FORM}/{TOKEN}?token={TOKEN}"]
)
def test_without_its_token_nothing_lands(home: Home, port: int, path: str) -> None:
    assert post(port, path) == 403
    assert landed(home) == []


def test_a_look_at_the_url_has_no_effect(home: Home, port: int) -> None:
    assert [post(port, f"{FORM}/{TOKEN}", method) for method in ("HEAD", "OPTIONS")] == [200, 204]
    assert landed(home) == []
