"""What is sent to HubSpot, to the bodies of its calls, and what its answers become."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import RetryLater, SetAside, StopRun
from dlt_sources.platform import Identifier, Outcome, Row, Target
from dlt_sources.platforms.hubspot import client
from dlt_sources.platforms.hubspot.destination import HubSpot
from tests.platforms.servers import Asked, replying

Calls = Callable[..., list[dict[str, Any]]]
LIST = Target("list", "Webinar follow-up")
MARK = Target("property", "aud_recent_buyer")
CONTACTS = "/crm/objects/2026-09/contacts"
STATUSES = "/communication-preferences/2026-09/statuses"


def ended(outcomes: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    return [(one.row_id, one.status, one.code) for one in outcomes]


def rows(*record_ids: str, **traits: Any) -> list[Row]:
    return [Row(row_id=f"r{record_id}", record_id=record_id, traits=traits) for record_id in record_ids]


def eventually(hubspot: HubSpot, target: Target, expected: set[str]) -> bool:
    """Whether the members come to be these; the search index is behind by a little."""
    for _ in range(100):
        if set(hubspot.read_back(target)) == expected:
            return True
        time.sleep(0.1)
    return False


# --- against the stand-in -------------------------------------------------------------------------------------------


@pytest.fixture
def hubspot(account: Account) -> HubSpot:
    return HubSpot(account)


@pytest.fixture
def contacts(hubspot: HubSpot) -> list[dict[str, Any]]:
    with client.session(hubspot.account) as session:
        params = {"limit": "100", "properties": "email,phone,mobilephone,hs_email_optout"}
        path = client.path(hubspot.account, "contacts")
        found = client.call(session, "GET", path, object="test", params=params, holds="results")["results"]
    reachable = [one for one in found if one["properties"]["email"] and not one["properties"]["hs_email_optout"]]
    assert len(reachable) > 5
    return reachable


def test_known_contacts_are_put_on_the_list_and_taken_off_by_id(
    hubspot: HubSpot, contacts: list[dict[str, Any]], calls: Calls
) -> None:
    some = rows(*(contact["id"] for contact in contacts[:2]))
    calls()
    hubspot.add(LIST, some)
    hubspot.remove(LIST, some)
    looked_up, added, removed = calls()[-3:]
    assert (looked_up["method"], looked_up["path"].split("/name/")[0]) == (
        "GET",
        "/crm/lists/2026-09/object-type-id/0-1",
    )
    for call, change in ((added, "add"), (removed, "remove")):
        assert call["method"] == "PUT"
        assert call["path"].endswith(f"/memberships/{change}")
        assert call["body"] == [contact["id"] for contact in contacts[:2]]


def test_traits_become_properties_of_their_own_type_in_our_group(
    hubspot: HubSpot, contacts: list[dict[str, Any]], calls: Calls
) -> None:
    traits = {
        "spent_in_test": Decimal("12.50"),
        "last_order_in_test": "2026-11-01T10:00:00Z",
        "birthday_in_test": "2026-11-02",
        "vip_in_test": True,
        "note_in_test": "x",
        "nothing_in_test": None,
    }
    hubspot.add(LIST, rows(contacts[0]["id"], **traits))
    made = {
        call["body"]["name"]: (call["body"]["type"], call["body"]["fieldType"], call["body"]["groupName"])
        for call in calls(method="POST")
        if call["path"] == "/crm/properties/2026-09/contacts"
    }
    assert made == {
        "spent_in_test": ("number", "number", "audiences"),
        "last_order_in_test": ("datetime", "date", "audiences"),
        "birthday_in_test": ("date", "date", "audiences"),
        "vip_in_test": ("bool", "booleancheckbox", "audiences"),
        "note_in_test": ("string", "text", "audiences"),
    }
    [update] = [call for call in calls() if call["path"] == f"{CONTACTS}/batch/update"]
    assert update["body"] == {
        "inputs": [
            {
                "id": contacts[0]["id"],
                "properties": {
                    "spent_in_test": "12.50",
                    "last_order_in_test": "2026-11-01T10:00:00Z",
                    "birthday_in_test": "2026-11-02",
                    "vip_in_test": "true",
                    "note_in_test": "x",
                },
                "objectWriteTraceId": "row-0",
            }
        ]
    }
    hubspot.add(LIST, rows(contacts[0]["id"], note_in_test=None, birthday_in_test="2026-11-03T23:30:00Z"))
    update = [call for call in calls() if call["path"] == f"{CONTACTS}/batch/update"][-1]
    assert update["body"]["inputs"][0]["properties"] == {"note_in_test": "", "birthday_in_test": "2026-11-03"}
    hubspot.remove(LIST, rows(contacts[0]["id"]))


def test_a_property_is_a_target_that_is_true_and_false(hubspot: HubSpot, contacts: list[dict[str, Any]]) -> None:
    some = rows(*(contact["id"] for contact in contacts[:3]))
    assert ended(hubspot.remove(MARK, some)) == [(row.row_id, "accepted", "") for row in some]
    assert {one.status for one in hubspot.add(MARK, some)} == {"accepted"}
    assert eventually(hubspot, MARK, {contact["id"] for contact in contacts[:3]})
    hubspot.remove(MARK, some[:1])
    assert eventually(hubspot, MARK, {contact["id"] for contact in contacts[1:3]})
    hubspot.remove(MARK, some[1:])


def test_new_contacts_are_made_by_email_alone_and_known_ones_found_first(
    hubspot: HubSpot, contacts: list[dict[str, Any]], calls: Calls
) -> None:
    known = contacts[0]["properties"]["email"]
    wanted = [
        Row(row_id="known", record_id=None, identifier=Identifier("email", f" {known.upper()}")),
        Row(
            row_id="new", record_id=None, identifier=Identifier("email", "brand-new@example.com"), traits={"plan": "a"}
        ),
        Row(row_id="phone", record_id=None, identifier=Identifier("phone", "+14155550199")),
    ]
    assert ended(hubspot.add(LIST, wanted)) == [
        ("known", "accepted", ""),
        ("new", "accepted", ""),
        ("phone", "dead", "no_email"),
    ]
    [create] = [call for call in calls() if call["path"] == f"{CONTACTS}/batch/create"]
    assert create["body"] == {
        "inputs": [
            {
                "properties": {"email": "brand-new@example.com", "plan": "a"},
                "associations": [],
                "objectWriteTraceId": "row-0",
            }
        ]
    }
    [record] = hubspot.find([Identifier("email", "brand-new@example.com")])[
        Identifier("email", "brand-new@example.com")
    ]
    assert sorted(hubspot.read_back(LIST)) == sorted([record, contacts[0]["id"]])
    hubspot.remove(LIST, rows(record, contacts[0]["id"]))
    hubspot.erase(rows(record))


def test_a_record_that_is_gone_is_dead_when_added_and_no_member_when_removed(
    hubspot: HubSpot, contacts: list[dict[str, Any]]
) -> None:
    some = rows(contacts[0]["id"], "1")
    assert ended(hubspot.add(LIST, some)) == [
        (some[0].row_id, "accepted", ""),
        ("r1", "dead", "record_missing"),
    ]
    assert ended(hubspot.remove(LIST, some)) == [
        (some[0].row_id, "accepted", ""),
        ("r1", "accepted", "record_missing"),
    ]
    assert ended(hubspot.add(LIST, rows(contacts[0]["id"], "1", note="x")))[1][1] == "dead"
    hubspot.remove(LIST, some)


def test_a_list_must_exist_and_take_members(hubspot: HubSpot, contacts: list[dict[str, Any]]) -> None:
    some = rows(contacts[0]["id"])
    with pytest.raises(StopRun, match="Make a static list of contacts with this name"):
        hubspot.add(Target("list", "No such/list?"), some)
    with pytest.raises(StopRun, match="Only a static list takes members"):
        hubspot.add(Target("list", "Everyone with an e-mail"), some)


def test_a_list_that_was_made_anew_is_looked_up_again(hubspot: HubSpot, contacts: list[dict[str, Any]]) -> None:
    some = rows(contacts[0]["id"])
    hubspot._lists[LIST.name] = "999999"
    with pytest.raises(RetryLater, match="made anew"):
        hubspot.add(LIST, some)
    hubspot.add(LIST, some)
    hubspot.remove(LIST, some)


def test_a_withdrawal_unsubscribes_the_address_from_all_mail_and_says_nothing_else(
    hubspot: HubSpot, contacts: list[dict[str, Any]], calls: Calls
) -> None:
    email = contacts[-1]["properties"]["email"]
    some = [
        Row(row_id="by address", record_id=None, identifier=Identifier("email", email)),
        Row(row_id="by record", record_id=contacts[-1]["id"]),
        Row(row_id="gone", record_id="1"),
    ]
    assert ended(hubspot.suppress("email", some)) == [
        ("by address", "accepted", ""),
        ("by record", "accepted", ""),
        ("gone", "accepted", "no_address"),
    ]
    looked_up, call = calls()
    assert looked_up["path"] == f"{CONTACTS}/batch/read"
    assert (call["method"], call["path"]) == ("POST", f"{STATUSES}/batch/unsubscribe-all")
    assert call["query"] == "channel=EMAIL"
    assert call["body"] == {"inputs": [email]}
    with client.session(hubspot.account) as session:
        path = client.path(hubspot.account, "contacts", f"/{contacts[-1]['id']}")
        after = client.call(session, "GET", path, object="test", params={"properties": "hs_email_optout"})
    assert after["properties"]["hs_email_optout"] == "true"


def test_erasure_is_permanent_and_names_the_record_or_the_address(hubspot: HubSpot, calls: Calls) -> None:
    some = [
        Row(row_id="record", record_id="151", identifier=Identifier("email", "x@example.com")),
        Row(row_id="mail", record_id=None, identifier=Identifier("email", "x@example.com")),
        Row(row_id="nobody", record_id=None),
    ]
    hubspot.erase(some)
    assert [(call["path"], call["body"]) for call in calls()] == [
        (f"{CONTACTS}/gdpr-delete", {"objectId": "151"}),
        (f"{CONTACTS}/gdpr-delete", {"objectId": "x@example.com", "idProperty": "email"}),
    ]


# --- answers, to the letter of the documentation --------------------------------------------------------------------


class Answers:
    """Answers by the end of the path."""

    def __init__(self) -> None:
        self.by_tail: dict[str, tuple[int, Any]] = {
            "/name/Webinar%20follow-up": (200, {"list": {"listId": "7", "processingType": "MANUAL"}}),
            "/memberships/add": (200, {"recordsIdsAdded": [], "recordIdsRemoved": [], "recordIdsMissing": []}),
            "/properties/2026-09/contacts": (200, {"results": [{"name": "a", "type": "string"}]}),
        }

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        return next(said for tail, said in self.by_tail.items() if asked.path.endswith(tail))


@pytest.fixture
def answers() -> Iterator[tuple[HubSpot, Answers, list[Asked]]]:
    told = Answers()
    with replying(told) as (url, asked):
        settings = {"base_url": url, "access_token": "pat-x"}
        yield HubSpot(Account("hubspot", "main", "acme", "US", (), settings)), told, asked


Told = tuple[HubSpot, Answers, list[Asked]]


def error(category: str, **context: list[str]) -> dict[str, Any]:
    return {
        "status": "error",
        "category": category,
        "message": "jane.doe@example.com is not valid",
        "context": context,
        "errors": [{"message": "no", "code": "INVALID_EMAIL", "context": {"propertyName": ["a"]}}],
        "links": {},
    }


def batch(results: Sequence[Mapping[str, Any]], *errors: Mapping[str, Any]) -> dict[str, Any]:
    failures = {"numErrors": len(errors), "errors": list(errors)} if errors else {}
    return {"status": "COMPLETE", "results": list(results), "startedAt": "x", "completedAt": "y", **failures}


@pytest.mark.parametrize("status", [200, 207])
def test_rows_are_told_apart_whatever_the_status_code(answers: Told, status: int) -> None:
    hubspot, told, asked = answers
    refused = error("VALIDATION_ERROR", objectWriteTraceId=["row-1"])
    told.by_tail["/batch/update"] = (status, batch([{"id": "1", "objectWriteTraceId": "row-0"}, {"id": "3"}], refused))
    assert ended(hubspot.add(LIST, rows("1", "2", "3", a="x"))) == [
        ("r1", "accepted", ""),
        ("r2", "dead", "VALIDATION_ERROR"),
        ("r3", "accepted", ""),
    ]
    assert asked[-1].body == ["1", "3"], "who was refused is not put on the list"


def test_what_was_refused_is_said_without_the_value_at_fault(answers: Told) -> None:
    hubspot, told, _ = answers
    told.by_tail["/batch/update"] = (207, batch([], error("VALIDATION_ERROR", objectWriteTraceId=["row-0"])))
    [outcome] = hubspot.add(LIST, rows("1", a="x"))
    assert (outcome.code, outcome.detail) == ("VALIDATION_ERROR", "INVALID_EMAIL a")


def test_an_error_that_names_record_ids_is_that_of_those_rows(answers: Told) -> None:
    hubspot, told, _ = answers
    gone = error("OBJECT_NOT_FOUND", ids=["1", "2"])
    told.by_tail["/batch/update"] = (207, batch([{"id": "3"}], gone))
    assert [one.status for one in hubspot.add(LIST, rows("1", "2", "3", a="x"))] == ["dead", "dead", "accepted"]


def test_rows_that_no_result_and_no_error_names_are_sent_again(answers: Told) -> None:
    hubspot, told, _ = answers
    told.by_tail["/batch/update"] = (207, batch([{"id": "1"}], error("VALIDATION_ERROR"), error("VALIDATION_ERROR")))
    assert ended(hubspot.add(LIST, rows("1", "2", "3", a="x"))) == [
        ("r1", "accepted", ""),
        ("r2", "failed", "no_outcome"),
        ("r3", "failed", "no_outcome"),
    ]
    told.by_tail["/batch/update"] = (207, batch([{"id": "1"}], error("VALIDATION_ERROR")))
    assert ended(hubspot.add(LIST, rows("1", "2", a="x")))[1] == ("r2", "dead", "VALIDATION_ERROR")


def test_a_contact_that_somebody_made_in_between_is_found_next_time(answers: Told) -> None:
    hubspot, told, _ = answers
    told.by_tail["/batch/read"] = (207, batch([], error("OBJECT_NOT_FOUND", ids=["new@example.com"])))
    told.by_tail["/batch/create"] = (207, batch([], error("CONFLICT", objectWriteTraceId=["row-0"])))
    wanted = [Row(row_id="new", record_id=None, identifier=Identifier("email", "new@example.com"))]
    assert ended(hubspot.add(LIST, wanted)) == [("new", "failed", "CONFLICT")]


def test_a_whole_call_that_is_refused_is_set_aside_to_be_halved(answers: Told) -> None:
    hubspot, told, _ = answers
    told.by_tail["/batch/update"] = (400, error("VALIDATION_ERROR"))
    with pytest.raises(SetAside, match="VALIDATION_ERROR INVALID_EMAIL a"):
        hubspot.add(LIST, rows("1", "2", a="x"))


def test_addresses_that_hubspot_refuses_do_not_cost_the_others_their_outcome(answers: Told) -> None:
    hubspot, told, _ = answers
    done = {"subscriberIdString": "good@example.com", "statuses": []}
    some = [
        Row(row_id=name, record_id=None, identifier=Identifier("email", f"{name}@example.com"))
        for name in ("good", "bad")
    ]
    told.by_tail["/unsubscribe-all"] = (200, batch([done], error("VALIDATION_ERROR")))
    assert ended(hubspot.suppress("email", some)) == [("good", "accepted", ""), ("bad", "dead", "VALIDATION_ERROR")]
    told.by_tail["/unsubscribe-all"] = (200, batch([done], error("INTERNAL_ERROR")))
    assert ended(hubspot.suppress("email", some)) == [("good", "accepted", ""), ("bad", "failed", "INTERNAL_ERROR")]
    told.by_tail["/unsubscribe-all"] = (200, batch([]))
    assert {one.status for one in hubspot.suppress("email", some)} == {"accepted"}


def test_a_contact_answers_for_those_that_were_merged_into_it(answers: Told) -> None:
    hubspot, told, _ = answers
    properties = {"email": "a@example.com", "hs_additional_emails": "b@example.com;c@example.com", "phone": "+1 4"}
    merged = {"id": "9", "properties": {**properties, "hs_merged_object_ids": "1;2"}}
    told.by_tail["/batch/read"] = (207, batch([merged], error("OBJECT_NOT_FOUND", ids=["3"])))
    held = hubspot.identify(["1", "9", "3"])
    assert (
        held["1"]
        == held["9"]
        == [
            Identifier("email", "a@example.com"),
            Identifier("email", "b@example.com"),
            Identifier("email", "c@example.com"),
            Identifier("phone", "+1 4"),
        ]
    )
    assert held["3"] == []


def test_a_further_address_of_a_contact_finds_it_too(answers: Told) -> None:
    hubspot, told, _ = answers
    both = {"id": "9", "properties": {"email": "a@example.com", "hs_additional_emails": "b@example.com"}}
    told.by_tail["/batch/read"] = (200, batch([both]))
    asked_for = Identifier("email", "B@example.com")
    assert hubspot.find([asked_for]) == {asked_for: ["9"]}


def test_a_property_that_somebody_made_in_between_is_used() -> None:
    told = Answers()
    told.by_tail["/groups"] = (409, error("CONFLICT"))
    types = iter(([{"name": "a", "type": "string"}], None, [{"name": "b", "type": "number"}]))

    def reply(call: Asked) -> tuple[int, Any]:
        if call.path.endswith("/properties/2026-09/contacts"):
            found = next(types)
            return (409, error("CONFLICT")) if found is None else (200, {"results": found})
        return told(call)

    with replying(reply) as (url, calls):
        other = HubSpot(Account("hubspot", "main", "acme", "US", (), {"base_url": url, "access_token": "x"}))
        told.by_tail["/batch/update"] = (200, batch([{"id": "1"}]))
        assert ended(other.add(LIST, rows("1", b=5))) == [("r1", "accepted", "")]
    update = next(call for call in calls if call.path.endswith("/batch/update"))
    assert update.body["inputs"][0]["properties"] == {"b": "5"}
