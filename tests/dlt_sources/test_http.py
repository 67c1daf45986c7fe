"""The one session: every answer becomes the right error of the tree, reads are retried, writes never are."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
from requests.auth import HTTPBasicAuth

from dlt_sources import http
from dlt_sources.accounts import Account
from dlt_sources.errors import Failure, PlatformError, RetryLater, SetAside, StopRun
from dlt_sources.http import Session, json_body
from dlt_sources.outcomes import redacted
from tests.platforms.servers import Answering, answering

ACCOUNT = Account("shop", "main", "acme", "US", (), {"token": "shhh"})
QUERY = "/people.json?email=jane@example.com&token=shhh"


@pytest.fixture
def server() -> Iterator[tuple[str, Answering]]:
    with answering() as serving:
        yield serving


def opened(url: str, *, retry: bool = False) -> Session:
    return Session(ACCOUNT, url, auth=HTTPBasicAuth("user", "shhh"), retry=retry)


def failing(url: str, method: str = "GET", *, retry: bool = False) -> PlatformError:
    with opened(url, retry=retry) as session, pytest.raises(PlatformError) as caught:
        session.call(method, QUERY, object="people", json={"email": "jane@example.com"})
    return caught.value


TREE: dict[type[PlatformError], tuple[int, ...]] = {
    RetryLater: (408, 423, 425, 429, 477, 500, 501, 502, 503, 504, 520, 522, 524, 529, 599),
    StopRun: (401, 403, 404, 410),
    SetAside: (400, 402, 405, 406, 409, 411, 412, 413, 415, 418, 422, 451),
}


@pytest.mark.parametrize(("kind", "status"), [(kind, status) for kind, several in TREE.items() for status in several])
def test_every_status_is_the_class_that_says_what_to_do(
    server: tuple[str, Answering], kind: type[PlatformError], status: int
) -> None:
    url, told = server
    told.status = status
    error = failing(url)
    assert type(error) is kind
    assert error.failure.status == status
    assert f"shop (main), people: HTTP {status}" in str(error)
    assert error.next_step
    assert str(error).endswith(error.next_step)


def test_a_call_that_the_operator_must_mend_names_the_section_to_edit(server: tuple[str, Answering]) -> None:
    url, told = server
    for status in (401, 403, 404):
        told.status = status
        assert "[sources.shop.main]" in str(failing(url))


def test_retry_after_is_understood_as_seconds_and_as_a_date(server: tuple[str, Answering]) -> None:
    url, told = server
    told.status = 429
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    long_ago = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    expected: dict[str, tuple[float, float] | None] = {
        "7": (7, 7), "2.5": (2.5, 2.5), "-3": (0, 0), in_a_minute: (50, 60), long_ago: (0, 0), "soon": None, "": None,
    }  # fmt: skip
    for value, bounds in expected.items():
        told.headers = {"Retry-After": value}
        error = failing(url)
        assert isinstance(error, RetryLater)
        assert error.throttled
        if bounds is None:
            assert error.retry_after is None, value
        else:
            assert error.retry_after is not None, value
            assert bounds[0] <= error.retry_after <= bounds[1], value


def test_a_read_is_tried_again_until_it_goes_through(server: tuple[str, Answering]) -> None:
    url, told = server
    told.body, told.first = b'{"ok": true}', [Answering(status, b"", {"Retry-After": "0.01"}) for status in (429, 503)]
    with opened(url, retry=True) as session:
        answer = session.call("GET", "/people.json", object="people")
    assert json_body(ACCOUNT, "people", answer) == {"ok": True}
    assert len(told.calls) == 3


def test_a_read_that_never_goes_through_ends_after_six_calls(server: tuple[str, Answering]) -> None:
    url, told = server
    told.status, told.headers = 503, {"Retry-After": "0.01"}
    assert isinstance(failing(url, retry=True), RetryLater)
    assert len(told.calls) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_read_that_cannot_go_through_is_not_tried_again(server: tuple[str, Answering], status: int) -> None:
    url, told = server
    told.status = status
    failing(url, retry=True)
    assert len(told.calls) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("bad", [Answering(429, headers={"Retry-After": "0"}), Answering(500), Answering(cut=True)])
def test_a_write_is_called_once_whatever_happens(server: tuple[str, Answering], method: str, bad: Answering) -> None:
    url, told = server
    told.status, told.headers, told.cut = bad.status, bad.headers, bad.cut
    assert isinstance(failing(url, method), RetryLater)
    assert len(told.calls) == 1


def test_a_cut_connection_may_be_tried_later_and_is_no_answer(server: tuple[str, Answering]) -> None:
    url, told = server
    told.cut = True
    error = failing(url)
    assert isinstance(error, RetryLater)
    assert error.failure.status is None
    assert "no answer" in str(error)


def test_a_refused_connection_may_be_tried_later() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    assert isinstance(failing(url), RetryLater)


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>jane@example.com</html>", b'{"people": [', b"", b"\xff\xfe"])
def test_an_answer_that_is_no_json_is_set_aside_with_its_media_type(server: tuple[str, Answering], body: bytes) -> None:
    url, told = server
    told.body, told.headers = body, {"Content-Type": "text/html; charset=utf-8"}
    with opened(url) as session:
        answer = session.call("GET", QUERY, object="people")
    with pytest.raises(SetAside, match="not JSON but text/html") as caught:
        json_body(ACCOUNT, "people", answer)
    assert "jane" not in str(caught.value)


def test_time_outs_are_set_where_the_caller_sets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.2)
    with silent() as url:
        began = datetime.now(UTC)
        error = failing(url)
        prepared = requests.Request("GET", f"{url}/people.json").prepare()
        with opened(url) as session, pytest.raises(requests.RequestException, match="timed out"):
            session.send(prepared)
    assert isinstance(error, RetryLater)
    assert datetime.now(UTC) - began < timedelta(seconds=10)
    assert 0 < http.CONNECT_SECONDS <= 10


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 599])
def test_no_secret_query_or_person_is_in_a_message(server: tuple[str, Answering], status: int) -> None:
    url, told = server
    told.status, told.echo = status, True
    explained = failing_with_explanation(url)
    for error in (failing(url), explained):
        text = f"{error} {error!r} {error.failure!r} {error.__cause__!r}"
        assert not [word for word in ("jane", "shhh", "people.json", "token=") if word in text]


def test_a_cut_or_refused_call_shows_no_query_either(server: tuple[str, Answering]) -> None:
    url, told = server
    told.cut = True
    for error in (failing(url), failing("http://127.0.0.1:9")):
        text = f"{error} {error!r} {error.__cause__!r}"
        assert not [word for word in ("jane", "shhh", "people.json", "127.0.0.1") if word in text]


def test_credentials_do_not_follow_a_link_to_another_host(server: tuple[str, Answering]) -> None:
    url, _ = server
    with answering() as (elsewhere, theirs), opened(url) as session, pytest.raises(SetAside, match="another host"):
        session.call("GET", f"{elsewhere}/people.json", object="people")
    assert theirs.calls == []


def test_credentials_do_not_follow_a_redirect_to_another_host(server: tuple[str, Answering]) -> None:
    url, told = server
    with answering() as (elsewhere, theirs):
        told.status, told.headers = 302, {"Location": f"{elsewhere}/people.json"}
        with opened(url) as session, pytest.raises(SetAside, match="another host"):
            session.call("GET", "/people.json", object="people")
    assert theirs.calls == []


def test_a_proxy_of_the_machine_sees_no_call(server: tuple[str, Answering], monkeypatch: pytest.MonkeyPatch) -> None:
    url, told = server
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with opened(url) as session:
        session.call("GET", "/people.json", object="people")
    assert told.calls == ["GET /people.json"]


def test_a_failure_without_an_answer_says_so() -> None:
    assert str(Failure("shop", "main", "people", None, "ReadTimeout")) == (
        "shop (main), people: no answer: ReadTimeout"
    )


def failing_with_explanation(url: str) -> PlatformError:
    """A call whose platform text is read by `explain`, as the platforms' clients do."""
    with opened(url) as session, pytest.raises(PlatformError) as caught:
        session.call("POST", "/tags.json", object="people", json={"to": "jane@example.com"}, explain=_explain)
    return caught.value


def _explain(response: requests.Response) -> str:
    return redacted(response.json()["errors"][0]["detail"])


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken: list[socket.socket] = []
        ended = threading.Event()

        def take() -> None:
            listener.settimeout(0.1)
            while not ended.is_set():
                try:
                    taken.append(listener.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            thread.join()
            for connection in taken:
                connection.close()
