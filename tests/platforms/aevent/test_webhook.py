"""How a setpixel call is read: ids, names and what is kept of it. The request vectors are in tests/landing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dlt_sources import url_tokens
from dlt_sources.accounts import Account
from dlt_sources.errors import WebhookRejected
from dlt_sources.platform import WebhookRequest
from dlt_sources.platforms.aevent import webhook
from dlt_sources.url_tokens import Fixed, UrlToken

TOKEN = "c8AU6RrgjGTBI0u"
ACCOUNT = Account("aevent", "main", "acme", "US", (), {})
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def book() -> Iterator[None]:
    mine = UrlToken(hash=url_tokens.hash_of(TOKEN), account="aevent:main", tags=("Straße", "Buyer"))
    url_tokens.keep_in(Fixed([mine]))
    yield
    url_tokens.keep_in(Fixed())


def call(rest: str, at: datetime = AT) -> WebhookRequest:
    url = f"https://hooks.example.test/setpixel?page=webhook&wtl={TOKEN}&{rest}"
    return WebhookRequest(method="GET", url=url, headers={"referer": url}, body=b"", received_at=at)


def test_what_is_kept_reads_as_the_call_did_and_holds_no_token() -> None:
    request = call("value=buyer&email=jane+vip@Example.com&utm_source=zap")
    kept = webhook.kept(request)
    assert webhook.parse(kept, ACCOUNT) == webhook.parse(request, ACCOUNT)
    assert (kept.method, kept.body, kept.headers) == ("GET", b"", {})
    short = url_tokens.hash_of(TOKEN)[:6]
    assert kept.url == (
        f"https://hooks.example.test/setpixel?page=webhook&wtl={short}&value=Buyer&event=tag%3Abuyer"
        "&email=jane%2Bvip%40example.com&repaired=true"
    )


def test_tags_are_compared_casefolded_and_the_stored_spelling_wins() -> None:
    request = call("value=STRASSE&r=1")
    webhook.verify(request, ACCOUNT)
    assert "value=Stra%C3%9Fe&event=tag%3Astrasse" in webhook.kept(request).url
    [event] = webhook.parse(request, ACCOUNT).events
    assert event.name == "tag:strasse"


def test_a_call_within_minutes_is_the_same_act_and_a_later_one_another() -> None:
    def id_of(request: WebhookRequest) -> str:
        delivery = webhook.parse(request, ACCOUNT)
        assert [event.id for event in delivery.events] == [delivery.id]
        return delivery.id

    one = call("value=Buyer&r=0012ab")
    assert id_of(one) == id_of(replace(one, received_at=AT + timedelta(minutes=9)))
    assert id_of(one) != id_of(replace(one, received_at=AT + timedelta(minutes=10)))
    others = ("value=Buyer&r=0012AB", "value=Buyer&r=12ab", "value=Stra%C3%9Fe&r=0012ab", "value=Buyer&email=a@x.com")
    assert len({id_of(one), *(id_of(call(other)) for other in others)}) == 5


def test_a_call_forbids_nothing_by_itself_and_grants_nothing() -> None:
    [event] = webhook.parse(call("value=Buyer&r=1"), ACCOUNT).events
    assert event.effect is None


@pytest.mark.parametrize("account", ["aevent:other", "other:main"])
def test_a_token_of_another_account_is_unknown_here(account: str) -> None:
    url_tokens.keep_in(Fixed([UrlToken(hash=url_tokens.hash_of(TOKEN), account=account, tags=("Buyer",))]))
    with pytest.raises(WebhookRejected) as raised:
        webhook.verify(call("value=Buyer&r=1"), ACCOUNT)
    assert (raised.value.reason, raised.value.status) == ("unknown_token", 403)


def test_the_urls_to_paste_end_where_the_tool_appends_the_person() -> None:
    forms = webhook.urls("https://hooks.example.test/", TOKEN, "Gold Buyer")
    start = f"https://hooks.example.test/setpixel?page=webhook&wtl={TOKEN}&value=Gold%20Buyer"
    assert forms == {"by e-mail address": f"{start}&email=", "by registrant id": f"{start}&r="}
