"""What is sent to Twilio, and what its answers become."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import StopRun
from dlt_sources.platform import Identifier, Row
from dlt_sources.platforms.twilio import PLATFORM, client, source
from dlt_sources.platforms.twilio.destination import Twilio
from sandbox.client import Sandbox
from tests.platforms.servers import Answering

Calls = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def twilio(account: Account) -> Twilio:
    return Twilio(account)


def phone(number: str, **traits: str) -> Row:
    return Row(row_id=number, record_id=None, identifier=Identifier("phone", number), traits=traits)


def fields(call: dict[str, Any]) -> dict[str, list[str]]:
    return parse_qs(call["body"])


def test_opt_outs_go_by_the_messaging_service_and_each_row_has_its_answer(
    twilio: Twilio, account: Account, calls: Calls, sandbox: Sandbox
) -> None:
    rows = [phone("+14155550991"), phone("+14155550992"), phone("12"), Row(row_id="nobody", record_id="x")]
    outcomes = twilio.suppress("sms", rows)
    assert [(one.row_id, one.status, one.code) for one in outcomes] == [
        ("+14155550991", "accepted", ""),
        ("+14155550992", "accepted", ""),
        ("12", "dead", "30646"),
        ("nobody", "dead", "no_phone"),
    ]
    [call] = calls()
    assert call["path"] == "/v1/Consents/Bulk"
    items = [json.loads(item) for item in fields(call)["Items"]]
    assert [item.pop("contact_id") for item in items] == ["+14155550991", "+14155550992", "12"]
    ids = [item.pop("correlation_id") for item in items]
    assert len(set(ids)) == 3
    sender = account["messaging_service_sid"]
    assert items == [{"sender_id": sender, "status": "opt-out", "source": "others"}] * 3
    assert {"+14155550991", "+14155550992"} <= sandbox.members()["twilio"]["stopped"]
    again = [json.loads(item)["correlation_id"] for item in fields(_again(twilio, rows, calls))["Items"]]
    assert again == ids, "a repeat is recognisable as one"


def _again(twilio: Twilio, rows: list[Row], calls: Calls) -> dict[str, Any]:
    twilio.suppress("sms", rows)
    return calls()[-1]


def test_a_text_is_sent_once_per_row(twilio: Twilio, account: Account, calls: Calls) -> None:
    [outcome] = twilio.send("", [phone("+14155550993", body="Your code is 123")])
    assert outcome.status == "accepted"
    [call] = calls()
    assert fields(call) == {
        "To": ["+14155550993"],
        "MessagingServiceSid": [account["messaging_service_sid"]],
        "Body": ["Your code is 123"],
    }
    twilio.send("+18885550142", [phone("+14155550993", body="x")])
    assert fields(calls()[-1])["From"] == ["+18885550142"]


def test_a_text_to_somebody_who_opted_out_is_dead_with_twilios_code(twilio: Twilio) -> None:
    twilio.suppress("sms", [phone("+14155550994")])
    outcomes = twilio.send(
        "", [phone("+14155550994", body="x"), phone("+14155550995", body="x"), phone("+14155550996")]
    )
    assert [(one.status, one.code) for one in outcomes] == [("dead", "21610"), ("accepted", ""), ("dead", "no_body")]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (Answering(500, b"{}"), "dead", "outcome_unknown"),
        (Answering(200, b"{", cut=True), "dead", "outcome_unknown"),
        (Answering(429, b"{}"), "failed", "429"),
        (Answering(400, b'{"code":21211,"message":"Invalid To +14155550123"}'), "dead", "21211"),
    ],
)
def test_a_text_that_may_have_gone_out_is_never_tried_again(
    bad_server: tuple[str, Answering], account: Account, answer: Answering, status: str, code: str
) -> None:
    url, told = bad_server
    told.__dict__.update(answer.__dict__)
    settings = {**account.settings, "base_url": url}
    twilio = Twilio(Account("twilio", "main", "acme", "US", (), settings))
    [outcome] = twilio.send("", [phone("+14155550123", body="x")])
    assert (outcome.status, outcome.code) == (status, code)
    assert "4155550123" not in outcome.detail
    assert len(told.calls) == 1


def test_wrong_credentials_stop_a_send_before_the_next_row(bad_server: tuple[str, Answering], account: Account) -> None:
    url, told = bad_server
    told.__dict__.update(Answering(401, b"{}").__dict__)
    twilio = Twilio(Account("twilio", "main", "acme", "US", (), {**account.settings, "base_url": url}))
    with pytest.raises(StopRun):
        twilio.send("", [phone("+14155550123", body="x"), phone("+14155550124", body="x")])
    assert len(told.calls) == 1


def test_erasure_deletes_what_was_sent_both_ways_and_nothing_else(twilio: Twilio, account: Account) -> None:
    [obj] = PLATFORM.objects

    def log() -> list[dict[str, Any]]:
        return [dict(message) for page in source.pages(account, obj, None) for message in page]

    before = log()
    somebody = next(message["from"] for message in before if message["direction"] == "inbound")
    theirs = {message["sid"] for message in before if somebody in (message["from"], message["to"])}
    [outcome] = twilio.erase([phone(somebody)])
    assert outcome.status == "accepted"
    assert {message["sid"] for message in log()} == {message["sid"] for message in before} - theirs


def test_the_log_is_asked_for_by_time_of_sending(account: Account, calls: Calls) -> None:
    [obj] = PLATFORM.objects
    list(source.pages(account, obj, datetime(2026, 11, 1, 10, tzinfo=UTC)))
    assert parse_qs(calls()[0]["query"]) == {"PageSize": ["1000"], "DateSent>": ["2026-11-01T10:00:00Z"]}


def test_another_address_of_the_api_takes_the_consent_writes_along() -> None:
    settings = {"account_sid": "AC1", "auth_token": "t", "base_url": "http://127.0.0.1:9"}
    account = Account("twilio", "main", "acme", "US", (), settings)
    assert client.accounts_session(account).base_url == "http://127.0.0.1:9"
    elsewhere = Account("twilio", "main", "acme", "US", (), {**settings, "accounts_base_url": "http://127.0.0.1:10"})
    assert client.accounts_session(elsewhere).base_url == "http://127.0.0.1:10"
    real = Account("twilio", "main", "acme", "US", (), {"account_sid": "AC1", "auth_token": "t"})
    assert client.accounts_session(real).base_url == "https://accounts.twilio.com"


def test_calls_use_the_api_key_where_there_is_one() -> None:
    settings = {"account_sid": "AC1", "auth_token": "t", "api_key_sid": "SK1", "api_key_secret": "s"}
    auth = client.session(Account("twilio", "main", "acme", "US", (), settings)).auth
    assert (auth.username, auth.password) == ("SK1", "s")
