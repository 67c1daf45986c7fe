"""What is sent to AEvent, and what its answers become."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError, NotOffered, RetryLater, StopRun
from dlt_sources.platform import Identifier, Row, Target
from dlt_sources.platforms.aevent import PLATFORM, client
from dlt_sources.platforms.aevent.destination import AEvent
from sandbox.client import Sandbox
from tests.platforms.servers import Answering

BUYER = Target("tag", "Buyer")
JANE = Row(row_id="jane", record_id=None, identifier=Identifier("email", "jane.doe+vip@example.com"))
REGISTRANT = Row(row_id="r", record_id="0012ab", identifier=Identifier("email", "jane.doe+vip@example.com"))


def at(url: str) -> Account:
    return Account("aevent", "main", "acme", "US", (), {"wtl": "c8AU6RrgjGTBI0u", "base_url": url})


@pytest.mark.parametrize(
    ("tag", "row", "query"),
    [
        ("Buyer", JANE, "page=webhook&wtl=c8AU6RrgjGTBI0u&value=Buyer&email=jane.doe%2Bvip%40example.com"),
        ("Buyer", REGISTRANT, "page=webhook&wtl=c8AU6RrgjGTBI0u&value=Buyer&r=0012ab"),
        ("Gold Buyer", REGISTRANT, "page=webhook&wtl=c8AU6RrgjGTBI0u&value=Gold%20Buyer&r=0012ab"),
    ],
    ids=["by address", "registrant id before address", "a tag with a space"],
)
def test_the_request_is_exactly_the_one_that_the_url_describes(
    bad_server: tuple[str, Answering], tag: str, row: Row, query: str
) -> None:
    url, told = bad_server
    told.body, told.headers = b"GIF89a", {"Content-Type": "image/gif"}
    [outcome] = AEvent(at(url)).add(Target("tag", tag), [row])
    assert told.calls == [f"GET /setpixel?{query}"]
    assert (outcome.row_id, outcome.status) == (row.row_id, "accepted")


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_done(bad_server: tuple[str, Answering], status: int) -> None:
    url, told = bad_server
    told.status, told.body = status, b""
    assert AEvent(at(url)).add(BUYER, [JANE])[0].status == "accepted"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(bad_server: tuple[str, Answering], status: int) -> None:
    url, told = bad_server
    told.status, told.headers = status, {"Location": f"{url}/elsewhere"}
    [outcome] = AEvent(at(url)).add(BUYER, [JANE])
    assert (outcome.status, outcome.code) == ("failed", str(status))
    assert len(told.calls) == 1


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refused_person_is_set_aside_without_their_address(bad_server: tuple[str, Answering], status: int) -> None:
    url, told = bad_server
    told.status, told.echo = status, True
    [outcome] = AEvent(at(url)).add(BUYER, [JANE])
    assert (outcome.status, outcome.code) == ("dead", str(status))
    assert "example.com" not in repr(outcome)
    assert "c8AU6RrgjGTBI0u" not in repr(outcome)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_token_or_address_that_does_not_work_stops_the_account(
    bad_server: tuple[str, Answering], status: int
) -> None:
    url, told = bad_server
    told.status, told.echo = status, True
    with pytest.raises(StopRun) as raised:
        AEvent(at(url)).add(BUYER, [JANE])
    assert "c8AU6RrgjGTBI0u" not in str(raised.value)
    assert "jane" not in str(raised.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_at_aevent_is_tried_again_later(bad_server: tuple[str, Answering], status: int) -> None:
    url, told = bad_server
    told.status, told.headers = status, {"Retry-After": "7"}
    with pytest.raises(RetryLater) as raised:
        AEvent(at(url)).add(BUYER, [JANE])
    assert raised.value.retry_after == 7


def test_pushes_keep_the_pace_that_is_set(bad_server: tuple[str, Answering]) -> None:
    url, told = bad_server
    told.body = b""
    account = replace(at(url), settings={**at(url).settings, "calls_per_second": "20"})
    began = time.monotonic()
    AEvent(account).add(BUYER, [replace(JANE, row_id=str(number)) for number in range(5)])
    assert len(told.calls) == 5
    assert time.monotonic() - began >= 4 / 20


@pytest.mark.parametrize("pace", ["0", "-1", "fast", "nan", "inf"])
def test_a_pace_that_is_none_is_refused_with_the_section_to_mend(pace: str) -> None:
    sound = at("http://127.0.0.1:1")
    account = replace(sound, settings={**sound.settings, "calls_per_second": pace})
    with pytest.raises(ConfigurationError, match=r"calls_per_second.*\[sources\.aevent\.main\]"):
        AEvent(account)


def test_nobody_is_waited_for_beyond_five_seconds(
    bad_server: tuple[str, Answering], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.SECONDS == 5.0
    monkeypatch.setattr(client, "SECONDS", 0.2)
    url, told = bad_server
    told.cut = True
    with pytest.raises(RetryLater):
        AEvent(at(url)).add(BUYER, [JANE])


def test_a_person_without_id_and_address_is_named_dead(bad_server: tuple[str, Answering]) -> None:
    url, told = bad_server
    nobody = replace(JANE, identifier=Identifier("phone", "+14155550100"))
    assert AEvent(at(url)).add(BUYER, [nobody])[0].code == "no_identifier"
    assert told.calls == []


def test_no_more_than_five_calls_a_second(bad_server: tuple[str, Answering]) -> None:
    url, told = bad_server
    destination, started = AEvent(at(url)), time.monotonic()
    for _ in range(6):
        destination.add(BUYER, [JANE])
    assert time.monotonic() - started >= 1.0
    assert len(told.calls) == 6


def test_settings_that_pushes_need_are_named() -> None:
    for settings, missing in (({}, "wtl"), ({"wtl": "t"}, "subdomain")):
        with pytest.raises(StopRun, match=missing):
            AEvent(Account("aevent", "main", "acme", "US", (), settings))
    assert client.session(Account("aevent", "main", "acme", "US", (), {"wtl": "t", "subdomain": "acme"})).base_url == (
        "https://acme.aevent.online"
    )


def test_no_call_is_invented_that_takes_a_tag_away(account: Account) -> None:
    destination = AEvent(account)
    assert [name for name in ("remove", "suppress", "find", "identify", "read_back") if AEvent.offers(name)] == []
    with pytest.raises(NotOffered):
        destination.remove(BUYER, [REGISTRANT])


def test_a_registrant_is_tagged_at_the_stand_in(
    account: Account, sandbox: Sandbox, calls: Callable[..., list[dict[str, Any]]]
) -> None:
    timeline = sandbox.members()["aevent"]
    [registrant, *_] = [r for name, members in timeline.items() if name.startswith("(") for r in sorted(members)]
    for _ in range(2):
        assert AEvent(account).add(BUYER, [replace(REGISTRANT, record_id=registrant)])[0].status == "accepted"
    assert registrant in sandbox.members()["aevent"]["Buyer"]
    assert len(calls(platform="aevent")) == 2


def test_the_check_of_an_account_tags_nobody(account: Account, calls: Callable[..., list[dict[str, Any]]]) -> None:
    PLATFORM.check(account)
    [call] = calls(platform="aevent")
    assert call["method"] == "HEAD"
    assert not parse_qs(str(call.get("query", "")))
