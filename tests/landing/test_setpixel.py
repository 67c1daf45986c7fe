"""The setpixel URL on our receiver: every request vector of it, over a real connection."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlt_sources import registry, url_tokens
from dlt_sources.platform import Identifier
from orchestration.activation.state import State
from orchestration.activation.webhook_tokens import revoke
from orchestration.home import Home
from orchestration.landing import unsigned
from orchestration.landing.endpoints import Endpoints
from orchestration.landing.files import Landed
from orchestration.landing.receiver import app
from tests.landing.senders import make_home, publish_catalogue, send, serving
from tests.landing.setpixel import HASH, SHORT, TOKEN, landed, make_setpixel_home, pixel, put_token

JANE = Identifier("email", "jane@example.com")
LINE = "page=webhook&wtl=T&value=Buyer&email=Jane@Example.com"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_setpixel_home(tmp_path)


@pytest.fixture
def receiver(home: Home) -> Any:
    return app(home)


@pytest.fixture
def port(receiver: Any) -> Iterator[int]:
    with serving(receiver) as port:
        yield port


def rejected(home: Home) -> list[dict[str, Any]]:
    return [json.loads(line) for path in home.rejected.glob("*.jsonl") for line in path.read_text().splitlines()]


def event(home: Home, one: Landed) -> Any:
    """What a landed call says, read the way the speed lane reads it."""
    [found] = Endpoints.load(home.folder).parse(one).events
    return found


def code(answer: tuple[int, Any, bytes]) -> str:
    body = json.loads(answer[2])
    assert body["status"] == "error"
    return str(body["code"])


@pytest.mark.parametrize(
    ("query", "name", "identifier"),
    [
        (LINE, "tag:buyer", JANE),
        ("email=jane%40example.com&value=buyer&wtl=T&page=webhook", "tag:buyer", JANE),
        ("page=webhook&wtl=T&value=Gold%20Buyer&r=0012ab", "tag:gold buyer", Identifier("external", "0012ab")),
        ("page=webhook&wtl=T&value=Gold+Buyer&r=0012ab", "tag:gold buyer", Identifier("external", "0012ab")),
        (
            "page=webhook&wtl=T&value=Buyer&email=jane+vip@example.com",
            "tag:buyer",
            Identifier("email", "jane+vip@example.com"),
        ),
        (f"{LINE}&utm_source=zapier&zap_id=1", "tag:buyer", JANE),
        ("page=webhook&wtl=T&value=%20Buyer%20&email=%20jane@example.com%20", "tag:buyer", JANE),
    ],
    ids=["line 1", "line 2", "line 3", "line 4", "line 5", "extra parameters", "spaces around"],
)
def test_a_call_is_accepted_and_lands(home: Home, port: int, query: str, name: str, identifier: Identifier) -> None:
    status, headers, body = send(port, pixel(query))
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    [one] = landed(home)
    act = event(home, one)
    assert (act.name, act.identifiers, act.effect, one.lane) == (name, (identifier,), None, "speed")


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("page=webhook&wtl=T&value=Buyer&r=X%20or%20email=X", 400, "placeholder_left_in"),
        ("page=webhook&wtl=T&value=Buyer&r=X+or+email=jane@x.com", 400, "placeholder_left_in"),
        ("page=webhook&wtl=T&value=Buyer&email=", 400, "empty_identifier"),
        ("page=webhook&wtl=T&value=Buyer", 400, "missing_identifier"),
        ("page=webhook&wtl=T&value=Buyer&email=a@x.com&r=1", 400, "two_identifiers"),
        ("page=webhook&wtl=T&value=A&value=Buyer&email=a@x.com", 400, "repeated_parameter"),
        ("page=webhook&wtl=T&value=Nope&email=a@x.com", 400, "unknown_tag"),
        ("page=webhook&wtl=bad&value=Buyer&email=a@x.com", 403, "unknown_token"),
        ("page=pixel&wtl=T&value=Buyer&email=a@x.com", 404, "not_a_webhook"),
        ("page=webhook&wtl=T&value=Buyer&email=a@x.com%0d%0aX:1", 400, "bad_encoding"),
        ("page=webhook&wtl=T&value=Buyer&email=%ff@x.com", 400, "bad_encoding"),
        # Beyond the published vectors: the rest of each rule.
        ("wtl=T&value=Buyer&email=a@x.com", 404, "not_a_webhook"),
        ("page=webhook&page=webhook&wtl=T&value=Buyer&email=a@x.com", 400, "repeated_parameter"),
        ("page=webhook&wtl=T&wtl=T&value=Buyer&email=a@x.com", 400, "repeated_parameter"),
        ("page=webhook&wtl=T&value=Buyer&email=a@x.com&email=a@x.com", 400, "repeated_parameter"),
        ("page=webhook&value=Buyer&email=a@x.com", 403, "unknown_token"),
        ("page=webhook&WTL=T&value=Buyer&email=a@x.com", 403, "unknown_token"),
        (f"page=webhook&wtl={TOKEN.lower()}&value=Buyer&email=a@x.com", 403, "unknown_token"),
        (f"page=webhook&wtl={HASH}&value=Buyer&email=a@x.com", 403, "unknown_token"),
        (f"page=webhook&wtl={SHORT}&value=Buyer&email=a@x.com", 403, "unknown_token"),
        ("page=webhook&wtl=%ff&value=Buyer&email=a@x.com", 403, "unknown_token"),
        ("page=webhook&wtl=T&email=a@x.com", 400, "missing_tag"),
        (f"page=webhook&wtl=T&value={'B' * 65}&email=a@x.com", 400, "unknown_tag"),
        ("page=webhook&wtl=T&value=Buyer&r=", 400, "empty_identifier"),
        ("page=webhook&wtl=T&value=Buyer&email=%20", 400, "empty_identifier"),
        ("page=webhook&wtl=T&value=Buyer&r=x", 400, "placeholder_left_in"),
        ("page=webhook&wtl=T&value=Buyer&email=X", 400, "placeholder_left_in"),
        ("page=webhook&wtl=T&value=Buyer&email=X%20or%20email=jane@x.com", 400, "placeholder_left_in"),
        ("page=webhook&wtl=T&value=Buyer&r=a=b", 400, "placeholder_left_in"),
        ("page=webhook&wtl=T&value=Buyer&r=jane@x.com", 400, "placeholder_left_in"),
        ("page=webhook&wtl=T&value=Buyer&r=Email", 400, "placeholder_left_in"),
        *(
            (f"page=webhook&wtl=T&value=Buyer&email={left}", 400, "placeholder_left_in")
            for left in ("%7B%7Bcontact.email%7D%7D", "{email}", "%EMAIL%", "%3Cemail%3E", "[email]", "null", "None")
        ),
        ("page=webhook&wtl=T&value=Buyer&r=undefined", 400, "placeholder_left_in"),
        ("page=webhook&wtl=T&value=Buyer&email=jane", 400, "bad_identifier"),
        ("page=webhook&wtl=T&value=Buyer&email=jane@nowhere", 400, "bad_identifier"),
        ("page=webhook&wtl=T&value=Buyer&email=jane++vip@x.com", 400, "bad_identifier"),
        (f"page=webhook&wtl=T&value=Buyer&email={'a' * 250}@x.com", 400, "bad_identifier"),
        (f"page=webhook&wtl=T&value=Buyer&r={'1' * 129}", 400, "bad_identifier"),
        ("page=webhook&wtl=T&value=Buyer&r=00.12", 400, "bad_identifier"),
        ("page=webhook&wtl=T&value=Buyer&email=a%2540x.com", 400, "bad_encoding"),
        ("page=webhook&wtl=T&value=Buyer&email=a%00@x.com", 400, "bad_encoding"),
        ("page=webhook&wtl=T&value=Buyer&email=a%zz@x.com", 400, "bad_encoding"),
        ("page=webhook&wtl=T&value=Buy%ffer&email=a@x.com", 400, "bad_encoding"),
        (f"page=webhook&wtl=T&value=Buyer&email=a@x.com&pad={'p' * 2048}", 414, "query_too_long"),
    ],
)
def test_a_call_that_is_unclear_is_refused_with_its_code(
    home: Home, port: int, query: str, status: int, word: str
) -> None:
    answer = send(port, pixel(query))
    assert (answer[0], code(answer)) == (status, word)
    assert answer[1]["cache-control"] == "no-store"
    assert answer[1]["referrer-policy"] == "no-referrer"
    assert landed(home) == []
    [line] = rejected(home)
    assert (line["reason"], line["platform"]) == (word, "aevent")


def test_literal_spaces_never_get_as_far_as_a_call(home: Home, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        line = f"GET /setpixel?page=webhook&wtl={TOKEN}&value=Buyer&r=X or email=X HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(line.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert landed(home) == []


def test_the_same_call_in_another_spelling_is_the_same_event(home: Home, port: int) -> None:
    pairs = [
        (LINE, "email=jane%40example.com&value=buyer&wtl=T&page=webhook"),
        ("page=webhook&wtl=T&value=Gold%20Buyer&r=0012ab", "page=webhook&wtl=T&value=Gold+Buyer&r=0012ab"),
    ]
    for one, other in pairs:
        assert send(port, pixel(one))[0] == send(port, pixel(other))[0] == 200
    # Compared as if received together: what is received ten minutes apart counts as called again.
    together = [replace(one, received_at=landed(home)[0].received_at) for one in landed(home)]
    assert len({event(home, one).id for one in together}) == 2
    assert {one.url.partition("value=")[2].partition("&")[0] for one in together} == {"Buyer", "Gold%20Buyer"}


def test_registrant_ids_keep_case_and_leading_zeros(home: Home, port: int) -> None:
    for id_ in ("0012ab", "12ab", "0012AB"):
        assert send(port, pixel(f"page=webhook&wtl=T&value=Buyer&r={id_}"))[0] == 200
    assert {event(home, one).identifiers[0].value for one in landed(home)} == {"0012ab", "12ab", "0012AB"}


def test_a_bare_plus_in_an_address_is_repaired_and_marked(home: Home, port: int) -> None:
    assert send(port, pixel("page=webhook&wtl=T&value=Buyer&email=jane+vip@example.com"))[0] == 200
    assert send(port, pixel("page=webhook&wtl=T&value=Buyer&email=jane%2Bvip@example.com"))[0] == 200
    first, second = sorted(landed(home), key=lambda one: one.id)
    assert event(home, first).identifiers == event(home, second).identifiers
    assert "repaired=true" in first.url
    assert "repaired" not in second.url


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("OPTIONS", {}, 204),
        ("GET", {"Purpose": "prefetch"}, 204),
        ("GET", {"Sec_Purpose": "prefetch;prerender"}, 204),
        ("GET", {"X_Moz": "prefetch"}, 204),
    ],
    ids=["HEAD", "OPTIONS", "purpose", "sec-purpose", "x-moz"],
)
def test_a_look_at_the_url_has_no_effect(
    home: Home, port: int, method: str, headers: dict[str, str], status: int
) -> None:
    answer = send(port, pixel(LINE, method, **headers))
    assert (answer[0], answer[2]) == (status, b"")
    assert answer[1]["cache-control"] == "no-store"
    assert landed(home) == []
    assert rejected(home) == []


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", f"page=webhook&wtl={TOKEN}&value=Buyer&email=jane%40example.com"),
        ("page=webhook&wtl=T&value=Buyer", "email=jane%40example.com"),
    ],
    ids=["all in the form", "URL pasted, address in the form"],
)
def test_a_form_says_the_same_as_a_query(home: Home, port: int, query: str, body: str) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert send(port, pixel(query, "POST", body.encode(), **form))[0] == 200
    [one] = landed(home)
    assert event(home, one).identifiers == (JANE,)
    assert (one.method, one.body) == ("GET", b"")


def test_a_parameter_in_query_and_form_is_given_twice(home: Home, port: int) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    answer = send(port, pixel(LINE, "POST", b"email=other%40example.com", **form))
    assert (answer[0], code(answer)) == (400, "repeated_parameter")


def test_a_form_of_any_length_is_not_read(home: Home, port: int) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    answer = send(port, pixel("page=webhook&wtl=T", "POST", b"value=Buyer&email=a@x.com&pad=" + b"p" * 3000, **form))
    assert (answer[0], code(answer)) == (413, "form_too_long")


def test_the_token_and_what_nobody_asked_for_never_land(home: Home, port: int) -> None:
    escaped = "".join(f"%{ord(character):02X}" for character in TOKEN)
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    referrer = {"Referer": f"https://x.test/?wtl={TOKEN}", "X_Original_URL": f"/setpixel?wtl={TOKEN}"}
    for request in (
        pixel(f"{LINE}&zap_secret={TOKEN}&utm_source=spring", **referrer),
        pixel(LINE.replace("wtl=T", f"wtl={escaped}")),
        pixel("", "POST", f"page=webhook&wtl={TOKEN}&value=Buyer&email=a@x.com".encode(), **form),
    ):
        assert send(port, request)[0] == 200
    assert len(landed(home)) == 3
    for path in home.data.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert TOKEN.encode() not in content, path
        assert escaped.encode() not in content, path
        assert b"spring" not in content, path
    assert all(f"wtl={SHORT}&" in one.url for one in landed(home))


def test_refused_calls_are_noted_without_secret_or_person(
    home: Home, port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for query in (
        "page=webhook&wtl=T&value=Nope&email=jane@example.com",
        "page=webhook&wtl=T&value=Buyer&email=jane@example.com&r=0012ab",
        "page=webhook&wtl=guessed123&value=Buyer&email=jane@example.com",
    ):
        send(port, pixel(query))
    lines = rejected(home)
    assert [line.get("token") for line in lines] == [SHORT, SHORT, None]
    assert len({line["body_hash"] for line in lines}) == 3
    seen = json.dumps(lines) + "".join(capfd.readouterr())
    for text in (TOKEN, "guessed123", "jane", "0012ab"):
        assert text not in seen


def test_an_unknown_token_learns_nothing(port: int) -> None:
    def answer(rest: str) -> tuple[int, bytes]:
        status, _, body = send(port, pixel(f"page=webhook&wtl=unknown12&{rest}"))
        return status, body

    answers = {
        answer(rest) for rest in ("value=Buyer&email=a@x.com", "value=Nope&email=a@x.com", "value=A&value=B", "")
    }
    assert answers == {(403, b'{"status":"error","code":"unknown_token"}')}


def test_an_unknown_person_is_no_error(home: Home, port: int) -> None:
    bodies = {send(port, pixel(f"page=webhook&wtl=T&value=Buyer&email=p{n}@example.com"))[2] for n in range(3)}
    assert bodies == {b'{"status":"ok"}'}


def test_two_tokens_work_side_by_side_until_one_is_revoked(
    home: Home, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsigned, "UNKNOWN_SECONDS", 0.0)
    other = "N3wT0kenN3wT0ken"
    assert send(port, pixel(LINE.replace("wtl=T", f"wtl={other}")))[0] == 403
    put_token(home, other, ["Buyer"])
    # A token made while the receiver runs is found when it is first used.
    assert send(port, pixel(LINE.replace("wtl=T", f"wtl={other}")))[0] == 200
    assert send(port, pixel(LINE))[0] == 200
    state = State.of(home)
    assert revoke(state, SHORT).token.hash == HASH
    state.close()
    send(port, pixel(LINE.replace("wtl=T", "wtl=unknown1234")))  # makes the receiver read the book
    assert send(port, pixel(LINE))[0] == 403
    assert send(port, pixel(LINE.replace("wtl=T", f"wtl={other}")))[0] == 200


def test_a_token_of_an_account_that_is_not_configured_is_refused(
    home: Home, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_token(home, "An0therAcc0unt", ["Buyer"], account="second")
    monkeypatch.setattr(unsigned, "UNKNOWN_SECONDS", 0.0)
    assert send(port, pixel(LINE.replace("wtl=T", "wtl=An0therAcc0unt")))[0] == 404
    assert landed(home) == []


def test_without_an_account_the_address_does_not_exist(tmp_path: Path) -> None:
    with serving(app(make_home(tmp_path))) as port:
        assert send(port, pixel(LINE))[0] == 404


def test_tokens_that_cannot_be_read_make_callers_come_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: object) -> None:
        raise OSError("disk")

    monkeypatch.setattr("orchestration.activation.webhook_tokens.LiveTokens.read", broken)
    with serving(app(home)) as port:
        status, headers, _ = send(port, pixel(LINE))
    assert (status, headers["retry-after"]) == (503, "5")


def test_too_many_calls_by_a_token_wait_a_second(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsigned, "BY_TOKEN", 3)
    with serving(app(home)) as port:
        answers = [send(port, pixel(f"page=webhook&wtl=T&value=Buyer&r={n}")) for n in range(4)]
    assert [answer[0] for answer in answers] == [200, 200, 200, 429]
    assert answers[-1][1]["retry-after"] == "1"
    assert code(answers[-1]) == "too_many_requests"
    assert len(landed(home)) == 3


def test_too_many_calls_about_one_person_wait_a_second(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (unsigned.BY_TOKEN, unsigned.ABOUT_PERSON) == (600, 60)
    monkeypatch.setattr(unsigned, "ABOUT_PERSON", 3)
    with serving(app(home)) as port:
        assert [send(port, pixel(LINE))[0] for _ in range(4)] == [200, 200, 200, 429]
        assert send(port, pixel("page=webhook&wtl=T&value=Buyer&email=other@example.com"))[0] == 200


def test_a_rate_recovers_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(unsigned.time, "monotonic", lambda: now)
    rate = unsigned._Rate(60)
    for _ in range(60):
        rate.count("a")
    with pytest.raises(unsigned.WebhookRejected):
        rate.count("a")
    rate.count("b")
    now += 1.0
    rate.count("a")
    with pytest.raises(unsigned.WebhookRejected):
        rate.count("a")


def test_three_empty_identifiers_within_an_hour_are_an_alarm(
    home: Home, receiver: Any, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    rejections = receiver.state.receiver.rejections
    for number in range(1, 7):
        send(port, pixel("page=webhook&wtl=T&value=Buyer&email="))
        assert sum(rejections.alarms.values()) == number // 3
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 2
    assert SHORT in told[0]
    assert "empty_identifier" in told[0]
    assert rejections.counts["aevent", "main", "empty_identifier"] == 6


def test_other_refusals_are_no_alarm(home: Home, receiver: Any, port: int) -> None:
    for _ in range(4):
        send(port, pixel("page=webhook&wtl=T&value=Nope&email=a@x.com"))
    assert not receiver.state.receiver.rejections.alarms


def test_the_receiver_says_who_signs_nothing(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    with serving(app(home)):
        pass
    [told] = [record.getMessage() for record in caplog.records if "signs nothing" in record.getMessage()]
    assert "aevent:main" in told
    assert "1 live" in told


def test_a_tag_that_an_audience_leaves_on_travels_the_speed_lane(home: Home, port: int) -> None:
    publish_catalogue(home, leave_on=("tag:buyer",))
    started = time.monotonic()
    assert send(port, pixel(LINE))[0] == 200
    assert time.monotonic() - started < 1
    assert [one.lane for one in landed(home)] == ["speed"]


def test_platforms_that_sign_take_no_token_in_their_url(home: Home, port: int) -> None:
    assert send(port, replace(pixel(""), path=f"/webhooks/klaviyo/main/{TOKEN}", method="POST"))[0] == 404


def test_the_setpixel_url_is_the_only_address_of_its_own() -> None:
    assert [platform.path for platform in registry.all_platforms() if platform.path] == ["/setpixel"]
    assert url_tokens.hash_of(TOKEN) == HASH
