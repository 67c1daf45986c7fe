"""What is sent to Klaviyo, to the byte of its documents, and what its answers become."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import RetryLater, SetAside, StopRun
from dlt_sources.platform import Identifier, Job, Outcome, Row, Target
from dlt_sources.platforms.klaviyo import client
from dlt_sources.platforms.klaviyo.destination import Klaviyo

Calls = Callable[..., list[dict[str, Any]]]
LIST = Target("list", "Webinar follow-up")


@pytest.fixture
def klaviyo(account: Account) -> Klaviyo:
    return Klaviyo(account)


@pytest.fixture
def profiles(klaviyo: Klaviyo) -> list[dict[str, Any]]:
    with client.session(klaviyo.account) as session:
        found = list(client.resources(session, "/api/profiles", {"page[size]": "50"}, object="test"))
    both = [one for one in found if one["attributes"]["email"] and one["attributes"]["phone_number"]]
    assert len(both) > 5
    return both


def ended(klaviyo: Klaviyo, answer: Any, rows: Sequence[Row]) -> Sequence[Outcome]:
    assert isinstance(answer, Job)
    for _ in range(100):
        outcomes = klaviyo.poll(answer, rows)
        if outcomes is not None:
            return outcomes
        time.sleep(0.02)
    raise AssertionError("the job did not end")


def test_known_profiles_are_added_and_removed_by_id(klaviyo: Klaviyo, profiles: Any, calls: Calls) -> None:
    rows = [Row(row_id=str(n), record_id=profile["id"]) for n, profile in enumerate(profiles[:2])]
    klaviyo.add(LIST, rows)
    klaviyo.remove(LIST, rows)
    ids = {"data": [{"type": "profile", "id": profile["id"]} for profile in profiles[:2]]}
    looked_up, added, removed = calls()
    assert (looked_up["path"], looked_up["method"]) == ("/api/lists", "GET")
    assert "equals%28name%2C%22Webinar+follow-up%22%29" in looked_up["query"]
    for call, method in ((added, "POST"), (removed, "DELETE")):
        assert call["method"] == method
        assert call["path"].startswith("/api/lists/")
        assert call["path"].endswith("/relationships/profiles")
        assert call["body"] == ids
        assert call["status"] == 204


def test_traits_and_new_profiles_go_by_one_import_job(klaviyo: Klaviyo, profiles: Any, calls: Calls) -> None:
    rows = [
        Row(row_id="known", record_id=profiles[0]["id"], traits={"spent": Decimal("12.50"), "last": None}),
        Row(row_id="mail", record_id=None, identifier=Identifier("email", "new@example.com"), traits={"spent": 1}),
        Row(row_id="phone", record_id=None, identifier=Identifier("phone", "+14155550199")),
    ]
    outcomes = ended(klaviyo, klaviyo.add(LIST, rows), rows)
    assert [(one.row_id, one.status) for one in outcomes] == [(row.row_id, "accepted") for row in rows]
    call = calls(method="POST")[0]
    assert call["path"] == "/api/profile-bulk-import-jobs"
    data = call["body"]["data"]
    assert data["type"] == "profile-bulk-import-job"
    assert list(data["relationships"]) == ["lists"]
    assert data["attributes"]["profiles"]["data"] == [
        {"type": "profile", "id": profiles[0]["id"], "attributes": {"properties": {"spent": 12.5, "last": None}}},
        {"type": "profile", "attributes": {"properties": {"spent": 1}, "email": "new@example.com"}},
        {"type": "profile", "attributes": {"phone_number": "+14155550199"}},
    ]
    ids = klaviyo.find([Identifier("email", "new@example.com"), Identifier("phone", "+14155550199")])
    created = [record for records in ids.values() for record in records]
    assert len(created) == 2
    klaviyo.remove(LIST, [Row(row_id=id_, record_id=id_) for id_ in [*created, profiles[0]["id"]]])


def test_a_row_that_an_import_refuses_is_dead_with_klaviyos_code(klaviyo: Klaviyo, profiles: Any) -> None:
    rows = [
        Row(row_id="good", record_id=profiles[0]["id"], traits={"a": 1}),
        Row(row_id="bad", record_id=None, identifier=Identifier("email", "no address"), traits={"a": 1}),
        Row(row_id="nobody", record_id=None, traits={"a": 1}),
    ]
    outcomes = ended(klaviyo, klaviyo.add(LIST, rows), rows)
    assert [(one.row_id, one.status, one.code) for one in outcomes] == [
        ("good", "accepted", ""),
        ("bad", "dead", "invalid"),
        ("nobody", "dead", "invalid"),
    ]
    klaviyo.remove(LIST, rows[:1])


def test_a_job_that_klaviyo_no_longer_knows_is_to_be_repeated(klaviyo: Klaviyo) -> None:
    outcomes = klaviyo.poll(Job("00000000-0000-0000-0000-000000000000"), [Row(row_id="r", record_id="1")])
    assert outcomes == [Outcome(row_id="r", status="failed", code="job_unknown")]


def test_a_list_is_looked_up_once_and_must_exist(klaviyo: Klaviyo, profiles: Any, calls: Calls) -> None:
    rows = [Row(row_id="r", record_id=profiles[0]["id"])]
    for _ in range(3):
        klaviyo.remove(LIST, rows)
    assert len(calls(path="/api/lists", method="GET")) == 1
    with pytest.raises(StopRun, match=r"0 lists have this name.*the segment's twin"):
        klaviyo.add(Target("list", 'No "such" list'), rows)


def test_a_profile_that_is_gone_is_told_from_a_list_that_is_gone(klaviyo: Klaviyo, profiles: Any) -> None:
    rows = [Row(row_id="here", record_id=profiles[0]["id"]), Row(row_id="gone", record_id="01GONE")]
    with pytest.raises(SetAside, match="A profile in it is gone"):
        klaviyo.add(LIST, rows)
    klaviyo._lists[LIST.name] = "XXXXXX"
    with pytest.raises(RetryLater, match="made anew"):
        klaviyo.add(LIST, rows[:1])
    klaviyo.add(LIST, rows[:1])
    klaviyo.remove(LIST, rows[:1])


def test_an_email_withdrawal_is_a_suppression_and_nothing_else(klaviyo: Klaviyo, profiles: Any, calls: Calls) -> None:
    email = profiles[1]["attributes"]["email"]
    klaviyo.suppress("email", [Row(row_id="r", record_id=None, identifier=Identifier("email", email))])
    [call] = calls()
    assert call["path"] == "/api/profile-suppression-bulk-create-jobs"
    assert call["body"] == {
        "data": {
            "type": "profile-suppression-bulk-create-job",
            "attributes": {"profiles": {"data": [{"type": "profile", "attributes": {"email": email}}]}},
        }
    }


def test_an_sms_withdrawal_names_texts_alone_and_never_a_list(klaviyo: Klaviyo, profiles: Any, calls: Calls) -> None:
    phone = profiles[2]["attributes"]["phone_number"]
    klaviyo.suppress("sms", [Row(row_id="r", record_id=None, identifier=Identifier("phone", phone))])
    [call] = calls()
    assert call["path"] == "/api/profile-subscription-bulk-delete-jobs"
    assert call["body"] == {
        "data": {
            "type": "profile-subscription-bulk-delete-job",
            "attributes": {
                "profiles": {
                    "data": [
                        {
                            "type": "profile",
                            "attributes": {
                                "phone_number": phone,
                                "subscriptions": {"sms": {"marketing": {"consent": "UNSUBSCRIBED"}}},
                            },
                        }
                    ]
                }
            },
        }
    }
    time.sleep(0.1)
    with client.session(klaviyo.account) as session:
        params = {"additional-fields[profile]": "subscriptions"}
        document = client.call(session, "GET", f"/api/profiles/{profiles[2]['id']}", object="test", params=params)
    subscriptions = document["data"]["attributes"]["subscriptions"]
    assert subscriptions["sms"]["marketing"]["consent"] == "UNSUBSCRIBED"
    assert subscriptions["email"]["marketing"]["consent"] != "UNSUBSCRIBED"


def test_a_withdrawal_that_names_only_a_record_takes_the_records_address(
    klaviyo: Klaviyo, profiles: Any, calls: Calls
) -> None:
    rows = [Row(row_id="here", record_id=profiles[3]["id"]), Row(row_id="gone", record_id="01GONE")]
    outcomes = klaviyo.suppress("email", rows)
    assert [(one.row_id, one.status, one.code) for one in outcomes] == [
        ("here", "accepted", ""),
        ("gone", "accepted", "no_address"),
    ]
    [call] = calls(method="POST")
    emails = [one["attributes"]["email"] for one in call["body"]["data"]["attributes"]["profiles"]["data"]]
    assert emails == [profiles[3]["attributes"]["email"]]


def test_find_compares_emails_without_regard_to_case_and_survives_quotes(klaviyo: Klaviyo, profiles: Any) -> None:
    asked = Identifier("email", f" {profiles[0]['attributes']['email'].upper()}")
    odd = Identifier("email", 'a"],[b\\@example.com')
    assert klaviyo.find([asked, odd]) == {asked: [profiles[0]["id"]], odd: []}


def test_many_look_ups_are_cut_into_calls_that_fit_a_url(klaviyo: Klaviyo, calls: Calls) -> None:
    held = klaviyo.identify([f"01{number:024d}" for number in range(120)])
    assert len(held) == 120
    assert len(calls()) == 3


def test_erasure_names_exactly_one_identifier(klaviyo: Klaviyo, profiles: Any, calls: Calls) -> None:
    rows = [
        Row(row_id="record", record_id=profiles[-1]["id"], identifier=Identifier("email", "x@example.com")),
        Row(row_id="mail", record_id=None, identifier=Identifier("email", "x@example.com")),
        Row(row_id="nobody", record_id=None),
    ]
    outcomes = klaviyo.erase(rows)
    assert [(one.status, one.code) for one in outcomes] == [("accepted", ""), ("accepted", ""), ("dead", "no_record")]
    assert [call["body"]["data"]["attributes"]["profile"]["data"] for call in calls()] == [
        {"type": "profile", "attributes": {}, "id": profiles[-1]["id"]},
        {"type": "profile", "attributes": {"email": "x@example.com"}},
    ]


def test_every_call_pins_the_revision_and_refuses_another(account: Account) -> None:
    headers = client.session(account).headers
    assert headers["revision"] == client.REVISION
    assert headers["X-Klaviyo-Revision-Fall-Forward-Opt-Out"] == "1"
