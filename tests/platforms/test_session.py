"""The one HTTP session and the pages read through it, against servers that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dlt.sources.helpers.rest_client.paginators import BasePaginator, HeaderLinkPaginator, JSONLinkPaginator
from requests.auth import HTTPBasicAuth

from dlt_sources import http
from dlt_sources.accounts import Account
from dlt_sources.errors import PlatformError, RetryLater, SetAside, StopRun
from dlt_sources.http import Session, json_body
from dlt_sources.paging import pages
from tests.platforms.servers import Answering, answering

ACCOUNT = Account("shop", "main", "acme", "US", (), {})


@pytest.fixture
def server() -> Iterator[tuple[str, Answering]]:
    with answering() as serving:
        yield serving


def opened(url: str, *, retry: bool = False) -> Session:
    return Session(ACCOUNT, url, auth=HTTPBasicAuth("user", "secret"), retry=retry)


def all_pages(session: Session, paginator: Any) -> list[list[dict[str, Any]]]:
    return list(pages(session, "/rows", object="rows", selector="rows", paginator=paginator))


@pytest.mark.parametrize(
    "first",
    [
        Answering(429, b"{}", {"Retry-After": "0.05"}),
        Answering(503, b"{}", {"Retry-After": "0"}),
        Answering(500, b"<html>"),
    ],
)
def test_a_read_is_tried_again_and_a_write_is_not(server: tuple[str, Answering], first: Answering) -> None:
    url, told = server
    told.body, told.first = b'{"rows": [{"id": 1}]}', [first]
    with opened(url, retry=True) as session:
        assert all_pages(session, JSONLinkPaginator(next_url_path="next")) == [[{"id": 1}]]
    told.calls.clear()
    told.first = [first]
    with opened(url) as session, pytest.raises(RetryLater):
        session.call("POST", "/rows", object="rows")
    assert told.calls == ["POST /rows"]


def test_a_retry_waits_no_longer_than_two_minutes_whatever_it_is_told() -> None:
    assert http._RETRIES.parse_retry_after("86400.5") == 120
    assert http._RETRIES.parse_retry_after("2.0") == 2.0
    assert http._RETRIES.parse_retry_after("-3") == 0


def test_an_endless_body_is_set_aside(server: tuple[str, Answering], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 1000)
    url, told = server
    told.body = b'{"rows": [' + b'{"id": 1},' * 200 + b"{}]}"
    with opened(url) as session, pytest.raises(SetAside, match="more than 1000 bytes"):
        all_pages(session, JSONLinkPaginator(next_url_path="next"))
    with opened(url) as session, pytest.raises(SetAside, match="more than 1000 bytes"):
        session.call("GET", "/rows", object="rows")


def test_half_an_emoji_does_not_cost_the_page(server: tuple[str, Answering]) -> None:
    url, told = server
    told.body = rb'{"rows": [{"id": 1, "note": "cut \ud83d"}, {"id": 2, "note": "whole \ud83d\ude42"}]}'
    with opened(url) as session:
        [[first, second]] = all_pages(session, JSONLinkPaginator(next_url_path="next"))
    assert first == {"id": 1, "note": "cut ?"}
    assert second["note"] == "whole 🙂"


@pytest.mark.parametrize("body", [b'{"rows": [NaN]}', b'{"rows": [], }', b"\xff", b"", rb'{"rows": ["\ud83d", NaN]}'])
def test_what_is_no_json_is_set_aside(server: tuple[str, Answering], body: bytes) -> None:
    url, told = server
    told.body = body
    with opened(url) as session, pytest.raises(SetAside, match="not JSON"):
        json_body(ACCOUNT, "rows", session.call("GET", "/rows", object="rows"))


def test_pages_that_lead_in_a_circle_end(server: tuple[str, Answering]) -> None:
    url, told = server
    told.body = b'{"rows": [{"id": 1}], "next": "/rows?page=2"}'
    with opened(url) as session, pytest.raises(SetAside, match="in a circle"):
        all_pages(session, JSONLinkPaginator(next_url_path="next"))
    assert len(told.calls) == 3


def test_pages_asked_for_by_post_lead_in_a_circle_only_when_the_same_is_asked_again(
    server: tuple[str, Answering],
) -> None:
    class Counting(BasePaginator):
        def __init__(self, steps: list[int]) -> None:
            super().__init__()
            self.steps = steps

        def update_state(self, response: Any, data: list[Any] | None = None) -> None:
            self._has_next_page = bool(self.steps)

        def update_request(self, request: Any) -> None:
            request.json["above"] = self.steps.pop(0) if self.steps else None

    def asked(session: Session, steps: list[int]) -> int:
        found = pages(session, "/s", object="rows", selector="rows", json={"above": 0}, paginator=Counting(steps))
        return len(list(found))

    url, told = server
    told.body = b'{"rows": [{"id": 1}]}'
    with opened(url) as session:
        assert asked(session, [1, 2]) == 3
        with pytest.raises(SetAside, match="in a circle"):
            asked(session, [1, 1])
    assert set(told.calls) == {"POST /s"}


def test_a_platform_may_know_better_what_its_refusal_means(server: tuple[str, Answering]) -> None:
    def judge(response: Any, error: PlatformError) -> PlatformError:
        spent = response.json().get("policy") == "DAILY"
        return StopRun(error.failure, "Go on tomorrow.") if spent else error

    url, told = server
    session = Session(ACCOUNT, url, auth=None, retry=False, judge=judge)
    told.status = 429
    for body, expected in ((b'{"policy": "DAILY"}', StopRun), (b"{}", RetryLater)):
        told.body = body
        with pytest.raises(expected):
            session.call("GET", "/rows", object="rows")
        with pytest.raises(expected):
            all_pages(session, HeaderLinkPaginator())


def test_credentials_follow_no_link_to_another_host(server: tuple[str, Answering]) -> None:
    url, told = server
    with answering() as (elsewhere, thief):
        told.body, told.headers = b'{"rows": []}', {"Link": f'<{elsewhere}/rows?page=2>; rel="next"'}
        with opened(url) as session, pytest.raises(SetAside, match="another host"):
            all_pages(session, HeaderLinkPaginator())
        told.status, told.headers = 307, {"Location": f"{elsewhere}/rows"}
        with opened(url) as session, pytest.raises(SetAside, match="another host"):
            session.call("POST", "/rows", object="rows", data=b"x")
        assert thief.calls == []


def test_a_machines_proxy_does_not_see_platform_traffic(
    server: tuple[str, Answering], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, told = server
    told.body = b'{"rows": []}'
    with answering() as (proxy, spy):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with opened(url) as session:
            all_pages(session, JSONLinkPaginator(next_url_path="next"))
        assert (len(told.calls), spy.calls) == (1, [])
