"""Twilio's stand-in driven by the official SDK `twilio`."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from sandbox import Sandbox

from .conftest import AS_OF


@pytest.fixture
def sdk(sandbox: Sandbox) -> Client:
    known = sandbox.credentials["twilio"]
    return pointed(Client(known["account_sid"], known["auth_token"]), sandbox)


def pointed(client: Client, sandbox: Sandbox) -> Client:
    for domain in (client.api, client.messaging, client.accounts):
        domain.base_url = sandbox.urls["twilio"]
    return client


def number(sandbox: Sandbox) -> str:
    return sandbox.config["twilio"]["from_number"]


def phone_of(sandbox: Sandbox, story: str) -> str:
    found: str = sandbox.people(story)[0]["phones"][0]
    return found


def test_all_messages_come_in_pages_newest_first(sdk: Client, sandbox: Sandbox) -> None:
    found = sdk.messages.list(page_size=9)
    sent = [message.date_created for message in found]
    assert len({message.sid for message in found}) == len(found) > 18
    assert sent == sorted(sent, reverse=True)
    assert {message.direction for message in found} >= {"inbound", "outbound-api"}


def test_date_sent_bounds_are_inclusive(sdk: Client) -> None:
    middle = sdk.messages.list()[10].date_sent
    before, after = sdk.messages.list(date_sent_before=middle), sdk.messages.list(date_sent_after=middle)
    assert all(message.date_sent <= middle for message in before)
    assert all(message.date_sent >= middle for message in after)
    both = {message.sid for message in before} & {message.sid for message in after}
    assert both == {message.sid for message in sdk.messages.list() if message.date_sent == middle}
    assert both


def test_a_day_as_date_sent_means_that_whole_day(sdk: Client) -> None:
    day = sdk.messages.list()[0].date_sent.date()
    found = sdk.messages.list(date_sent=date(day.year, day.month, day.day))
    assert found
    assert {message.date_sent.date() for message in found} == {day}


def test_messages_are_filtered_by_both_ends(sdk: Client, sandbox: Sandbox) -> None:
    phone = phone_of(sandbox, "lapsed_stopped")
    assert {message.from_ for message in sdk.messages.list(from_=phone)} == {phone}
    assert {message.to for message in sdk.messages.list(to=phone)} == {phone}


def test_a_text_is_sent_fetched_redacted_and_deleted(sdk: Client, sandbox: Sandbox) -> None:
    sent = sdk.messages.create(to=phone_of(sandbox, "lapsed_sms"), from_=number(sandbox), body="Hello")
    assert sent.status == "queued"
    deadline = time.monotonic() + 4
    while sdk.messages(sent.sid).fetch().status != "delivered":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert sdk.messages(sent.sid).update(body="").body == ""
    assert sdk.messages(sent.sid).delete()
    with pytest.raises(TwilioRestException) as missing:
        sdk.messages(sent.sid).fetch()
    assert (missing.value.status, missing.value.code) == (404, 20404)


def test_a_scheduled_text_can_be_cancelled(sdk: Client, sandbox: Sandbox) -> None:
    sent = sdk.messages.create(
        to=phone_of(sandbox, "lapsed_sms"), messaging_service_sid=sandbox.config["twilio"]["messaging_service_sid"],
        body="Later", schedule_type="fixed", send_at=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    assert sent.status == "scheduled"
    assert sdk.messages(sent.sid).update(status="canceled").status == "canceled"


@pytest.mark.parametrize("story", ["lapsed_stopped", "text_refused"])
def test_sending_to_someone_who_stopped_is_refused(sdk: Client, sandbox: Sandbox, story: str) -> None:
    with pytest.raises(TwilioRestException) as refused:
        sdk.messages.create(to=phone_of(sandbox, story), from_=number(sandbox), body="Hello")
    assert (refused.value.status, refused.value.code) == (400, 21610)


def test_a_text_to_nonsense_is_refused(sdk: Client, sandbox: Sandbox) -> None:
    with pytest.raises(TwilioRestException) as refused:
        sdk.messages.create(to="12345", from_=number(sandbox), body="Hello")
    assert refused.value.code == 21211


def test_consents_answer_row_by_row_with_201(sdk: Client, sandbox: Sandbox) -> None:
    phone = phone_of(sandbox, "good_buyer")
    good = {
        "contact_id": phone, "correlation_id": "0" * 32, "sender_id": number(sandbox), "status": "opt-out",
        "source": "others",
    }  # fmt: skip
    bad = good | {"contact_id": "nobody", "correlation_id": "1" * 32}
    first, second = sdk.accounts.v1.bulk_consents.create(items=[json.dumps(good), json.dumps(bad)]).items
    assert (first["error_code"], first["error_messages"]) == (0, [])
    assert (second["correlation_id"], second["error_code"]) == ("1" * 32, 30646)
    assert "INVALID_CONTACT_ID" in second["error_messages"]
    assert phone in sandbox.members()["twilio"]["stopped"]
    with pytest.raises(TwilioRestException):
        sdk.messages.create(to=phone, from_=number(sandbox), body="Hello")
    sdk.accounts.v1.bulk_consents.create(items=[json.dumps(good | {"status": "opt-in"})])
    assert sandbox.calls(note="grant")[-1]["path"] == "/v1/Consents/Bulk"


def test_the_account_and_its_number_are_shown(sdk: Client, sandbox: Sandbox) -> None:
    assert sdk.api.accounts(sandbox.credentials["twilio"]["account_sid"]).fetch().status == "active"
    assert [owned.phone_number for owned in sdk.incoming_phone_numbers.list()] == [number(sandbox)]


def test_an_api_key_opens_the_account_too(sandbox: Sandbox) -> None:
    known = sandbox.credentials["twilio"]
    client = pointed(Client(known["api_key_sid"], known["api_key_secret"], known["account_sid"]), sandbox)
    assert client.messages.list(limit=1)


def test_a_wrong_token_is_refused(sandbox: Sandbox) -> None:
    client = pointed(Client(sandbox.credentials["twilio"]["account_sid"], "wrong"), sandbox)
    with pytest.raises(TwilioRestException) as refused:
        client.messages("SM1").fetch()
    assert (refused.value.status, refused.value.code) == (401, 20003)


def test_refused_sends_of_the_past_show_their_code(sdk: Client, sandbox: Sandbox) -> None:
    phone = phone_of(sandbox, "text_refused")
    assert 21610 in [message.error_code for message in sdk.messages.list(to=phone)]
    assert all(message.date_created < AS_OF for message in sdk.messages.list(to=phone))
