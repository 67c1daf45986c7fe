"""AEvent's setpixel URL as AEvent answers it, and a Zapier that calls somebody else's."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from sandbox import Sandbox, running
from sandbox.client import SandboxError

from .conftest import AS_OF, Receiver

TIMELINE = "(timeline)"


def call(sandbox: Sandbox, query: str, method: str = "GET") -> requests.Response:
    wtl = sandbox.credentials["aevent"]["wtl"]
    url = f"{sandbox.urls['aevent']}/setpixel?{query.replace('WTL', wtl)}"
    return requests.request(method, url, timeout=5, allow_redirects=False)


def free(sandbox: Sandbox) -> str:
    """A registrant whom nobody has tagged yet."""
    return sorted(sandbox.members()["aevent"][TIMELINE])[0]


def test_a_tagged_registrant_leaves_the_timeline_audience(sandbox: Sandbox) -> None:
    r = free(sandbox)
    told = call(sandbox, f"page=webhook&wtl=WTL&value=Buyer&r={r}")
    held = sandbox.members()["aevent"]
    assert (told.status_code, told.headers["Content-Type"]) == (200, "image/gif")
    assert r in held["Buyer"]
    assert r not in held[TIMELINE]
    assert call(sandbox, f"value=buyer&r={r}&wtl=WTL&page=webhook&utm_source=zap").status_code == 200
    assert sandbox.members()["aevent"] == held


def test_an_address_finds_its_registrant_in_any_case(sandbox: Sandbox) -> None:
    r = free(sandbox)
    email = sandbox.person(f"aevent:{r}")["emails"][0]
    assert call(sandbox, f"page=webhook&wtl=WTL&value=Gold%20Buyer&email={email.upper()}").status_code == 200
    assert r in sandbox.members()["aevent"]["Gold Buyer"]


def test_a_stranger_is_no_error_and_nobody_is_tagged(sandbox: Sandbox) -> None:
    before = sandbox.members()["aevent"]
    assert call(sandbox, "page=webhook&wtl=WTL&value=Buyer&email=jane.doe%2Bvip%40example.com").status_code == 200
    assert sandbox.members()["aevent"] == before


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("page=webhook&wtl=WTL&value=Buyer&r=X or email=X", 400, "placeholder_left_in"),
        ("page=webhook&wtl=WTL&value=Buyer&r=X+or+email=jane@x.com", 400, "placeholder_left_in"),
        ("page=webhook&wtl=WTL&value=Buyer&email=%7B%7Bemail%7D%7D", 400, "placeholder_left_in"),
        ("page=webhook&wtl=WTL&value=Buyer&email=", 400, "empty_identifier"),
        ("page=webhook&wtl=WTL&value=Buyer", 400, "missing_identifier"),
        ("page=webhook&wtl=WTL&value=Buyer&email=a@x.com&r=1", 400, "two_identifiers"),
        ("page=webhook&wtl=WTL&value=A&value=Buyer&email=a@x.com", 400, "repeated_parameter"),
        ("page=webhook&wtl=WTL&value=Nope&email=a@x.com", 400, "unknown_tag"),
        ("page=webhook&wtl=WTL&value=Buyer&email=jane+vip@x.com", 400, "bad_identifier"),
        ("page=webhook&wtl=WTL&value=Buyer&email=a@x.com%0d%0aX:1", 400, "bad_encoding"),
        ("page=webhook&wtl=WTL&value=Buyer&email=%ff@x.com", 400, "bad_encoding"),
        ("page=webhook&wtl=bad&value=Buyer&email=a@x.com", 403, "unknown_token"),
        ("page=webhook&wtl=bad&value=Nope&email=a@x.com", 403, "unknown_token"),
        ("page=pixel&wtl=WTL&value=Buyer&email=a@x.com", 404, "not_found"),
        ("page=webhook&wtl=WTL&value=Buyer&email=" + "a" * 2048, 414, "query_too_long"),
    ],
)
def test_a_wrong_call_is_refused_without_effect(sandbox: Sandbox, query: str, status: int, code: str) -> None:
    before = sandbox.members()["aevent"]
    told = call(sandbox, query)
    assert (told.status_code, told.json()["code"]) == (status, code)
    assert sandbox.members()["aevent"] == before


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 405), ("POST", 405)])
def test_only_a_get_tags(sandbox: Sandbox, method: str, status: int) -> None:
    before = sandbox.members()["aevent"]
    told = call(sandbox, f"page=webhook&wtl=WTL&value=Buyer&r={free(sandbox)}", method)
    assert told.status_code == status
    assert sandbox.members()["aevent"] == before


def test_an_order_to_misbehave_reaches_the_url(sandbox: Sandbox) -> None:
    sandbox.misbehave("aevent", "429", seconds=2)
    told = call(sandbox, f"page=webhook&wtl=WTL&value=Buyer&r={free(sandbox)}")
    assert (told.status_code, told.headers["Retry-After"]) == (429, "2")


def test_a_registrant_may_be_told_to_be_refused(sandbox: Sandbox) -> None:
    r = free(sandbox)
    sandbox.misbehave("aevent", "partial", records=[r])
    told = call(sandbox, f"page=webhook&wtl=WTL&value=Buyer&r={r}")
    sandbox.behave()
    assert (told.status_code, told.json()["code"], r in sandbox.members()["aevent"]["Buyer"]) == (
        400,
        "bad_identifier",
        False,
    )


@pytest.mark.parametrize("by", ["email", "r"])
def test_a_zapier_calls_the_url_it_was_given_with_one_identifier(sandbox: Sandbox, receiver: Receiver, by: str) -> None:
    r = free(sandbox)
    person = sandbox.person(f"aevent:{r}")
    before = sandbox.members()["aevent"]
    told = sandbox.act("tag", person["person"], wtl="theirToken12345", value="buyer", by=by)
    sent = receiver.received[0]
    path = urlsplit(sent["path"])
    assert (told.status, told.platform, sent["method"], path.path) == (200, "aevent", "GET", "/setpixel")
    assert dict(parse_qsl(path.query)) == {
        "page": "webhook", "wtl": "theirToken12345", "value": "buyer", by: r if by == "r" else person["emails"][0],
    }  # fmt: skip
    assert sandbox.members()["aevent"] == before


def test_a_zapier_may_be_told_another_host(sandbox: Sandbox, receiver: Receiver) -> None:
    r = free(sandbox)
    base = sandbox.urls["aevent"]
    told = sandbox.act("tag", f"aevent:{r}", wtl=sandbox.credentials["aevent"]["wtl"], by="r", base=base)
    assert (told.status, receiver.received) == (200, [])
    assert r in sandbox.members()["aevent"]["Buyer"]


def test_a_tag_needs_a_url_and_an_identifier(sandbox: Sandbox) -> None:
    r = free(sandbox)
    stranger = next(p["person"] for p in sandbox.people() if p["person"] != sandbox.person(f"aevent:{r}")["person"])
    for who, options in ((f"aevent:{r}", {"wtl": "theirToken12345"}), (stranger, {"by": "phone", "wtl": "x" * 15})):
        with pytest.raises(SandboxError):
            sandbox.act("tag", who, **options)


def test_tags_survive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, people=60, seed=3, as_of=AS_OF) as first:
        r = free(first)
        call(first, f"page=webhook&wtl=WTL&value=Buyer&r={r}")
    with running(tmp_path, people=60, seed=3, as_of=AS_OF) as second:
        assert second.members()["aevent"]["Buyer"] == {r}
