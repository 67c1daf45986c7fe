"""HubSpot's stand-in driven by the official SDK `hubspot-api-client` (version 3 of the API), and what it cannot say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hubspot import HubSpot
from hubspot.communication_preferences.exceptions import ApiException as PreferencesRefusal
from hubspot.crm.contacts.exceptions import ApiException as ContactsRefusal
from hubspot.crm.lists.exceptions import ApiException as ListsRefusal
from hubspot.utils.signature import Signature
from hubspot.webhooks.exceptions import ApiException as WebhooksRefusal

from sandbox import Sandbox
from sandbox.platforms.hubspot.webhooks import sign

from .conftest import Receiver


@pytest.fixture
def sdk(sandbox: Sandbox) -> HubSpot:
    return HubSpot(access_token=sandbox.credentials["hubspot"]["access_token"], host=sandbox.urls["hubspot"])


@pytest.fixture
def developer(sandbox: Sandbox) -> HubSpot:
    """The app's developer, who manages its webhooks."""
    return HubSpot(api_key=sandbox.credentials["hubspot"]["developer_api_key"], host=sandbox.urls["hubspot"])


def eventually(check: Callable[[], bool]) -> None:
    """Wait until the search has seen what was written, two seconds at most."""
    deadline = time.monotonic() + 2
    while not check():
        assert time.monotonic() < deadline, "the search never saw it"
        time.sleep(0.02)


def some(sandbox: Sandbox, story: str) -> tuple[str, str]:
    """Contact id and its e-mail of a person of this story."""
    person = sandbox.people(story)[0]
    return person["records"]["hubspot"][0], person["emails"][0]


def changed_since(moment: str, **more: Any) -> dict[str, Any]:
    since = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": moment}
    sorts = [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}]
    return {"filterGroups": [{"filters": [since]}], "sorts": sorts, "properties": ["email", "jobtitle"], **more}


def by_email(email: str) -> dict[str, Any]:
    return {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": email}]}]}


# Contacts


def test_all_contacts_come_in_pages(sdk: HubSpot, sandbox: Sandbox) -> None:
    seen, after = [], None
    for _ in range(50):
        page = sdk.crm.contacts.basic_api.get_page(limit=7, after=after)
        seen += [row.id for row in page.results]
        if page.paging is None:
            break
        after = page.paging.next.after
    known = [i for person in sandbox.people() for i in person["records"].get("hubspot", [])]
    assert len(seen) > 20
    assert len(seen) == len(set(seen))
    assert known
    assert set(known) <= set(seen)


def test_a_contact_is_created_read_changed_and_archived(sdk: HubSpot) -> None:
    api = sdk.crm.contacts.basic_api
    made = api.create({"properties": {"email": "New.One@Example.com", "firstname": "New"}})
    assert made.properties["email"] == "new.one@example.com"
    found = api.get_by_id("new.one@example.com", id_property="email", properties=["jobtitle", "no_such_property"])
    assert (found.id, found.properties["jobtitle"], "no_such_property" in found.properties) == (made.id, None, False)
    api.update(made.id, {"properties": {"jobtitle": "Cook"}})
    assert api.get_by_id(made.id, properties=["jobtitle"]).properties["jobtitle"] == "Cook"
    api.update(made.id, {"properties": {"jobtitle": ""}})
    assert api.get_by_id(made.id, properties=["jobtitle"]).properties["jobtitle"] is None
    api.archive(made.id)
    with pytest.raises(ContactsRefusal) as gone:
        api.get_by_id(made.id)
    assert gone.value.status == 404
    assert made.id in [row.id for row in api.get_page(limit=100, archived=True).results]
    again = api.create({"properties": {"email": "new.one@example.com"}})
    assert again.id != made.id


def test_an_address_that_is_taken_is_a_conflict_that_names_its_owner(sdk: HubSpot, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "good_buyer")
    with pytest.raises(ContactsRefusal) as refused:
        sdk.crm.contacts.basic_api.create({"properties": {"email": email.upper()}})
    told = json.loads(refused.value.body)
    assert (refused.value.status, told["category"]) == (409, "CONFLICT")
    assert told["message"].endswith(f"Existing ID: {row_id}")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"email": "not an address"}, "INVALID_EMAIL"),
        ({"no_such_property": "x"}, "PROPERTY_DOESNT_EXIST"),
        ({"age_verified": "maybe"}, "INVALID_OPTION"),
        ({"hs_email_optout": "true"}, "READ_ONLY_VALUE"),
    ],
)
def test_wrong_values_are_refused_one_by_one(sdk: HubSpot, values: dict[str, str], code: str) -> None:
    with pytest.raises(ContactsRefusal) as refused:
        sdk.crm.contacts.basic_api.create({"properties": values})
    assert (refused.value.status, json.loads(refused.value.body)["errors"][0]["code"]) == (400, code)


def test_an_erased_contact_is_gone_and_an_erased_stranger_never_comes(sdk: HubSpot, sandbox: Sandbox) -> None:
    api = sdk.crm.contacts
    made = api.basic_api.create({"properties": {"email": "forget.me@example.com"}})
    erase(sandbox, "forget.me@example.com")
    assert made.id not in [row.id for row in api.get_all()]
    assert api.basic_api.create({"properties": {"email": "another.one@example.com"}}).id != made.id
    erase(sandbox, "stranger@example.com")
    with pytest.raises(ContactsRefusal) as refused:
        api.basic_api.create({"properties": {"email": "stranger@example.com"}})
    assert refused.value.status == 400


def erase(sandbox: Sandbox, email: str) -> None:
    told = post(sandbox, "/crm/objects/2026-09/contacts/gdpr-delete", {"objectId": email, "idProperty": "email"})
    assert told.status_code == 204


# Search


def test_a_search_pages_through_everything_changed_since(sdk: HubSpot) -> None:
    api, found, after = sdk.crm.contacts.search_api, [], "0"
    for _ in range(50):
        page = api.do_search(changed_since("2020-01-01T00:00:00Z", limit=7, after=after))
        found += page.results
        if page.paging is None:
            break
        after = page.paging.next.after
    assert len(found) == page.total > 20
    times = [row.updated_at for row in found]
    assert times == sorted(times)
    later = api.do_search(changed_since(str(int(times[-3].timestamp() * 1000)), limit=200))
    assert {row.id for row in found[-3:]} <= {row.id for row in later.results}
    assert later.total < page.total


def test_the_search_sees_a_write_a_little_later(sdk: HubSpot) -> None:
    api = sdk.crm.contacts.search_api
    made = sdk.crm.contacts.basic_api.create({"properties": {"email": "late@example.com"}})
    assert api.do_search(by_email("late@example.com")).total == 0
    eventually(lambda: api.do_search(by_email("late@example.com")).total == 1)
    assert api.do_search(by_email("LATE@example.com")).results[0].id == made.id


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"limit": 201}, "limit"),
        ({"limit": 200, "after": "9900"}, "10000"),
        ({"sorts": ["email", "createdate"]}, "sort"),
        ({"filterGroups": [{"filters": [{"propertyName": "no_such", "operator": "EQ", "value": "1"}]}]}, "no_such"),
        ({"filterGroups": [{"filters": [{"propertyName": "email", "operator": "LIKE", "value": "1"}]}]}, "LIKE"),
        ({"filterGroups": [{"filters": []}] * 6}, "groups"),
        ({"query": "x" * 3001}, "3000"),
    ],
)
def test_a_search_beyond_its_limits_is_refused(sdk: HubSpot, body: dict[str, Any], why: str) -> None:
    with pytest.raises(ContactsRefusal) as refused:
        sdk.crm.contacts.search_api.do_search(body)
    assert refused.value.status == 400
    assert why in json.loads(refused.value.body)["message"]


@pytest.mark.parametrize(
    ("operator", "given"),
    [
        ("IN", {"values": ["{email}"]}),
        ("BETWEEN", {"value": "{email}", "highValue": "{email}"}),
        ("CONTAINS_TOKEN", {"value": "{email}"}),
        ("EQ", {"value": "{email}"}),
    ],
)
def test_operators_find_the_one_contact(sdk: HubSpot, sandbox: Sandbox, operator: str, given: dict[str, Any]) -> None:
    row_id, email = some(sandbox, "crm_only")
    wanted = json.loads(json.dumps(given).replace("{email}", email))
    group = [{"filters": [{"propertyName": "email", "operator": operator, **wanted}]}]
    found = sdk.crm.contacts.search_api.do_search({"filterGroups": group, "limit": 10})
    assert [row.id for row in found.results] == [row_id]


# Batches


def test_a_batch_upsert_fails_for_one_row_and_says_which(sdk: HubSpot) -> None:
    api = sdk.crm.contacts.batch_api
    row = {"idProperty": "loyalty_number", "objectWriteTraceId": "one"}
    inputs = [
        {**row, "id": "L-1", "properties": {"email": "l1@example.com"}},
        {**row, "id": "L-2", "properties": {"email": "no address"}, "objectWriteTraceId": "two"},
    ]
    first = api.upsert({"inputs": inputs})
    assert [(result.new, result.properties["loyalty_number"]) for result in first.results] == [(True, "L-1")]
    assert first.num_errors == 1
    assert first.errors[0].context["objectWriteTraceId"] == ["two"]
    again = api.upsert({"inputs": [{**row, "id": "L-1", "properties": {"jobtitle": "Cook"}}]})
    assert [(result.new, result.id) for result in again.results] == [(False, first.results[0].id)]


def test_an_upsert_by_email_fails_as_a_whole(sdk: HubSpot) -> None:
    row = {"idProperty": "email", "properties": {"jobtitle": "Cook"}}
    inputs = [{**row, "id": "whole@example.com"}, {**row, "id": "x@example.com", "properties": {"no_such": "1"}}]
    with pytest.raises(ContactsRefusal) as refused:
        sdk.crm.contacts.batch_api.upsert({"inputs": inputs})
    assert refused.value.status == 400
    with pytest.raises(ContactsRefusal):
        sdk.crm.contacts.basic_api.get_by_id("whole@example.com", id_property="email")


def test_a_batch_create_fails_apart_only_when_every_row_is_traced(sdk: HubSpot) -> None:
    api = sdk.crm.contacts.batch_api
    good, bad = {"properties": {"email": "b1@example.com"}}, {"properties": {"email": "nobody"}}
    with pytest.raises(ContactsRefusal) as refused:
        api.create({"inputs": [good, bad]})
    assert refused.value.status == 400
    traced = [good | {"objectWriteTraceId": "1"}, bad | {"objectWriteTraceId": "2"}]
    told = api.create({"inputs": traced})
    assert [row.properties["email"] for row in told.results] == ["b1@example.com"]
    assert told.errors[0].context["objectWriteTraceId"] == ["2"]


def test_a_batch_reads_by_email_and_names_the_unknown(sdk: HubSpot, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "good_buyer")
    wanted = {"idProperty": "email", "inputs": [{"id": email}, {"id": "who@example.com"}], "properties": ["phone"]}
    told = sdk.crm.contacts.batch_api.read({**wanted, "propertiesWithHistory": []})
    assert [row.id for row in told.results] == [row_id]
    assert told.errors[0].context["ids"] == ["who@example.com"]


def test_a_batch_update_leaves_the_unknown_aside(sdk: HubSpot, sandbox: Sandbox) -> None:
    row_id, _ = some(sandbox, "good_buyer")
    values = {"properties": {"jobtitle": "Baker"}}
    told = sdk.crm.contacts.batch_api.update({"inputs": [{"id": row_id, **values}, {"id": "3", **values}]})
    assert [row.properties["jobtitle"] for row in told.results] == ["Baker"]
    assert told.errors[0].category == "OBJECT_NOT_FOUND"


@pytest.mark.parametrize(
    ("version", "status"), [("v3/objects", 207), ("objects/2026-03", 207), ("objects/2026-09", 200)]
)
def test_only_older_versions_tell_partial_failure_by_the_status(sandbox: Sandbox, version: str, status: int) -> None:
    told = post(sandbox, f"/crm/{version}/contacts/batch/read", {"inputs": [{"id": "3"}], "properties": []})
    assert (told.status_code, told.json()["numErrors"]) == (status, 1)


def test_more_than_a_hundred_rows_are_refused(sdk: HubSpot) -> None:
    with pytest.raises(ContactsRefusal) as refused:
        sdk.crm.contacts.batch_api.archive({"inputs": [{"id": str(number)} for number in range(101)]})
    assert refused.value.status == 400


def test_the_records_named_are_refused_on_demand(sdk: HubSpot, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "good_buyer")
    sandbox.misbehave("hubspot", "partial", records=[row_id, email])
    told = sdk.crm.contacts.batch_api.update({"inputs": [{"id": row_id, "properties": {"jobtitle": "x"}}]})
    listed = sdk.crm.lists.memberships_api.add(list_id(sdk, "High spenders"), [row_id])
    asked = {"inputs": [email]}
    statuses = post(sandbox, "/communication-preferences/2026-09/statuses/batch/read?channel=EMAIL", asked).json()
    sandbox.behave()
    assert (told.results, told.num_errors) == ([], 1)
    assert listed.record_ids_missing == [row_id]
    assert (statuses["results"], statuses["numErrors"]) == ([], 1)


# Properties


def test_a_property_is_made_in_a_group_that_exists(sdk: HubSpot) -> None:
    api = sdk.crm.properties
    wanted = {"name": "spent", "label": "Spent", "type": "number", "fieldType": "number", "groupName": "shop_facts"}
    with pytest.raises(Exception, match="does not exist"):
        api.core_api.create("contacts", wanted)
    api.groups_api.create("contacts", {"name": "shop_facts", "label": "Shop facts", "displayOrder": -1})
    assert api.core_api.create("contacts", wanted).type == "number"
    with pytest.raises(Exception, match="already exists"):
        api.core_api.create("contacts", wanted)
    names = [row.name for row in api.core_api.get_all("contacts").results]
    assert {"spent", "email", "hs_email_optout", "aevent_registrant_id"} <= set(names)


def test_a_ticked_checkbox_is_a_membership(sdk: HubSpot, sandbox: Sandbox) -> None:
    options = [{"label": text, "value": text, "displayOrder": -1, "hidden": False} for text in ("true", "false")]
    wanted = {"name": "aud_vip", "label": "VIP", "type": "bool", "fieldType": "booleancheckbox"}
    sdk.crm.properties.core_api.create("contacts", {**wanted, "groupName": "webinars", "options": options})
    row_id, _ = some(sandbox, "good_buyer")
    sdk.crm.contacts.basic_api.update(row_id, {"properties": {"aud_vip": "true"}})
    assert sandbox.members()["hubspot"]["aud_vip"] == {row_id}
    sdk.crm.contacts.basic_api.update(row_id, {"properties": {"aud_vip": "false"}})
    assert "aud_vip" not in sandbox.members()["hubspot"]


# Lists


def list_id(sdk: HubSpot, name: str) -> str:
    return str(sdk.crm.lists.lists_api.get_by_name(name, "0-1").list.list_id)


def test_members_are_added_removed_and_told_apart_from_the_missing(sdk: HubSpot, sandbox: Sandbox) -> None:
    target, api = list_id(sdk, "recent BUYERS"), sdk.crm.lists.memberships_api
    ids = [row.id for row in sdk.crm.contacts.basic_api.get_page(limit=3).results]
    told = api.add(target, [*ids, "3"])
    assert (told.records_ids_added, told.record_ids_missing) == (ids, ["3"])
    assert api.add(target, ids).records_ids_added == []
    assert sandbox.members()["hubspot"]["Recent buyers"] == set(ids)
    page = api.get_page(target, limit=2)
    rest = api.get_page(target, limit=2, after=page.paging.next.after)
    assert [row.record_id for row in (*page.results, *rest.results)] == ids
    swapped = api.add_and_remove(target, {"recordIdsToAdd": [], "recordIdsToRemove": ids[:1]})
    assert swapped.record_ids_removed == ids[:1]
    assert sandbox.members()["hubspot"]["Recent buyers"] == set(ids[1:])
    assert target in [row.list_id for row in api.get_lists("0-1", ids[1]).results]
    assert api.remove(target, ids).record_ids_removed == ids[1:]


def test_an_archived_contact_is_on_no_list(sdk: HubSpot, sandbox: Sandbox) -> None:
    made = sdk.crm.contacts.basic_api.create({"properties": {"email": "short.stay@example.com"}})
    sdk.crm.lists.memberships_api.add(list_id(sdk, "High spenders"), [made.id])
    sdk.crm.contacts.basic_api.archive(made.id)
    assert made.id not in sandbox.members()["hubspot"]["High spenders"]


def test_a_dynamic_list_takes_no_members(sdk: HubSpot) -> None:
    with pytest.raises(ListsRefusal) as refused:
        sdk.crm.lists.memberships_api.add(list_id(sdk, "Everyone with an e-mail"), ["1"])
    assert refused.value.status == 400


def test_a_list_is_searched_and_its_name_is_unique(sdk: HubSpot) -> None:
    api = sdk.crm.lists.lists_api
    told = api.do_search({"query": "webinar", "offset": 0, "processingTypes": ["MANUAL"]})
    assert [(row.name, row.processing_type) for row in told.lists] == [("Webinar follow-up", "MANUAL")]
    with pytest.raises(ListsRefusal):
        api.get_by_name("No such list", "0-1")
    with pytest.raises(ListsRefusal) as refused:
        api.create({"name": "webinar FOLLOW-up", "objectTypeId": "0-1", "processingType": "MANUAL"})
    assert refused.value.status == 400


# Communication preferences


def test_the_sdk_reads_and_ends_a_subscription(sdk: HubSpot, sandbox: Sandbox) -> None:
    api = sdk.communication_preferences
    definitions = api.definition_api.get_page().subscription_definitions
    assert [definition.name for definition in definitions] == ["Marketing"]
    _, email = some(sandbox, "crm_alone_granted")
    assert api.status_api.get_email_status(email).subscription_statuses[0].status == "SUBSCRIBED"
    change = {"emailAddress": email, "subscriptionId": definitions[0].id}
    assert api.status_api.unsubscribe(change).status == "NOT_SUBSCRIBED"
    with pytest.raises(PreferencesRefusal):
        api.status_api.subscribe(change)


def test_statuses_are_kept_by_address_and_shown_on_the_contact(sdk: HubSpot, sandbox: Sandbox) -> None:
    base = "/communication-preferences/2026-09/statuses/batch"
    row_id, email = some(sandbox, "good_buyer")
    asked = {"inputs": [email.upper(), "never.seen@example.com", "no address"]}
    before = post(sandbox, f"{base}/read?channel=EMAIL", asked).json()
    kinds = [row["statuses"][0]["status"] for row in before["results"]]
    assert (kinds, before["numErrors"]) == (["NOT_SPECIFIED", "NOT_SPECIFIED"], 1)
    assert post(sandbox, f"{base}/unsubscribe-all?channel=EMAIL", {"inputs": [email]}).status_code == 200
    wide = post(sandbox, f"{base}/unsubscribe-all/read?channel=EMAIL", asked).json()["results"]
    assert [bool(row["wideStatuses"]) for row in wide] == [True, False]
    shown = sdk.crm.contacts.basic_api.get_by_id(row_id, properties=["hs_email_optout"])
    assert shown.properties["hs_email_optout"] == "true"
    assert post(sandbox, f"{base}/read", asked).status_code == 400


def test_a_status_that_is_written_again_is_marked_as_a_grant(sandbox: Sandbox) -> None:
    path = "/communication-preferences/2026-09/statuses/batch/write"
    row = {"channel": "EMAIL", "subscriptionId": 312456789, "subscriberIdString": "again@example.com"}
    for state, reason in (
        ("UNSUBSCRIBED", "REQUESTED_CHANGE_OCCURRED"), ("UNSUBSCRIBED", "NO_STATUS_CHANGE"),
        ("SUBSCRIBED", "RESUBSCRIBE_OCCURRED"),
    ):  # fmt: skip
        told = post(sandbox, path, {"inputs": [row | {"statusState": state}, row | {"statusState": "MAYBE"}]}).json()
        assert [r["setStatusSuccessReason"] for r in told["results"]] == [reason]
        assert told["numErrors"] == 1
    assert len(sandbox.calls(path=path, note="grant")) == 1


# Events


def test_registrations_are_events_of_their_contact(sdk: HubSpot, sandbox: Sandbox) -> None:
    row_id, _ = some(sandbox, "webinar_guest")
    types = sdk.events.events_api.get_types().event_types
    webinar = next(name for name in types if name.endswith("_webinar_registered"))
    found = sdk.events.events_api.get_page(object_type="contact", object_id=int(row_id), event_type=webinar)
    assert [(event.object_id, event.event_type) for event in found.results] == [(row_id, webinar)]
    everyone = sdk.events.events_api.get_page(event_type=webinar, limit=3, sort=["occurredAt"])
    times = [event.occurred_at for event in everyone.results]
    assert (len(times), times) == (3, sorted(times))


# Webhooks


def test_signatures_match_the_published_vectors() -> None:
    url, secret = "https://www.example.com/webhook_uri", "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
    body = b"{'example_field':'example_value'}"
    assert sign(secret, "POST", url, body, "1693657560000") == "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="


def verified(sandbox: Sandbox, sent: dict[str, Any], url: str) -> bool:
    headers = sent["headers"]
    return bool(
        Signature.is_valid(
            headers["X-HubSpot-Signature-v3"], sandbox.credentials["hubspot"]["client_secret"], sent["body"].decode(),
            url, "POST", "v3", headers["X-HubSpot-Request-Timestamp"],
        )
    )  # fmt: skip


def test_an_opt_out_is_signed_as_the_sdk_expects(sandbox: Sandbox, receiver: Receiver, sdk: HubSpot) -> None:
    sandbox.settings(public_url="https://hooks.acme.example")
    person = sandbox.people("webinar_guest")[0]
    told = sandbox.act("hubspot_unsubscribe", person["person"])
    sent = receiver.received[0]
    assert (told.platform, told.status, sent["path"]) == ("hubspot", 200, "/webhooks/hubspot/main")
    assert verified(sandbox, sent, "https://hooks.acme.example/webhooks/hubspot/main")
    assert not verified(sandbox, sent, receiver.url + "/webhooks/hubspot/main")
    event = json.loads(sent["body"])[0]
    wanted = {"subscriptionType": "contact.propertyChange", "propertyName": "hs_email_optout", "propertyValue": "true"}
    assert wanted.items() <= event.items()
    assert event["objectId"] == int(person["records"]["hubspot"][0])
    shown = sdk.crm.contacts.basic_api.get_by_id(str(event["objectId"]), properties=["hs_email_optout"])
    assert shown.properties["hs_email_optout"] == "true"
    asked = {"inputs": person["emails"]}
    read = post(sandbox, "/communication-preferences/2026-09/statuses/batch/read?channel=EMAIL", asked).json()
    assert read["results"][0]["statuses"][0]["status"] == "UNSUBSCRIBED"


def test_a_privacy_deletion_comes_with_a_deletion_in_either_order(sandbox: Sandbox, receiver: Receiver) -> None:
    lapsed = sandbox.truth()["audiences"]["lapsed_customers"]["people"]
    known = [who for who in lapsed if sandbox.person(who)["records"].get("hubspot")]
    for who, first in zip(known[:2], ("", "deletion"), strict=True):
        sandbox.act("hubspot_privacy_deleted", who, first=first)
        events = json.loads(receiver.received[-1]["body"])
        topics = [event["subscriptionType"] for event in events]
        assert topics == sorted(["contact.privacyDeletion", "contact.deletion"], reverse=not first)
        assert sandbox.truth()["audiences"]["lapsed_customers"]["people"][who]["reason"] == "erased"
        assert "hubspot" not in sandbox.person(who)["records"]


def test_a_created_and_a_deleted_contact_are_told_and_known_to_the_truth(
    sandbox: Sandbox, receiver: Receiver, sdk: HubSpot
) -> None:
    person = next(p for p in sandbox.people() if p["emails"] and "hubspot" not in p["records"])
    sandbox.act("hubspot_contact_created", person["person"])
    row_id = sandbox.person(person["person"])["records"]["hubspot"][0]
    assert json.loads(receiver.received[0]["body"])[0]["objectId"] == int(row_id)
    assert sdk.crm.contacts.basic_api.get_by_id(row_id).properties["email"] == person["emails"][0]
    sandbox.act("hubspot_contact_deleted", f"hubspot:{row_id}")
    assert json.loads(receiver.received[1]["body"])[0]["subscriptionType"] == "contact.deletion"
    assert "hubspot" not in sandbox.person(person["person"])["records"]


def test_the_id_of_a_merged_contact_leads_to_the_one_that_stayed(
    sandbox: Sandbox, receiver: Receiver, sdk: HubSpot
) -> None:
    person = sandbox.people("two_contacts")[0]
    winner, loser = person["records"]["hubspot"]
    sandbox.act("hubspot_contact_merged", person["person"])
    event = json.loads(receiver.received[0]["body"])[0]
    assert (event["primaryObjectId"], event["mergedObjectIds"]) == (int(winner), [int(loser)])
    found = sdk.crm.contacts.basic_api.get_by_id(loser, properties=["hs_merged_object_ids"])
    assert (found.id, found.properties["hs_merged_object_ids"]) == (winner, loser)
    assert sandbox.person(person["person"])["records"]["hubspot"] == [winner]


def test_several_events_come_in_one_request(sandbox: Sandbox, receiver: Receiver) -> None:
    stories = ("crm_withdrew", "crm_only", "only_the_crm_may", "left_by_registrant")
    people = [sandbox.people(story)[0]["person"] for story in stories]
    sandbox.act("hubspot_batch", people[0], others=people[1:])
    events = json.loads(receiver.received[0]["body"])
    assert [event["propertyName"] for event in events] == ["jobtitle", *["hs_email_optout"] * 4]
    assert verified(sandbox, receiver.received[0], f"{receiver.url}/webhooks/hubspot/main")


def test_a_repeated_delivery_counts_its_attempts_and_is_signed_anew(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.statuses = [503, 200]
    assert sandbox.act("hubspot_unsubscribe", sandbox.people("joined_in_the_shop")[0]["person"]).status == 503
    receiver.wait(2)
    first, second = (json.loads(sent["body"])[0] for sent in receiver.received)
    assert (first.pop("attemptNumber"), second.pop("attemptNumber")) == (0, 1)
    assert first == second
    assert all(verified(sandbox, sent, f"{receiver.url}/webhooks/hubspot/main") for sent in receiver.received)


def test_a_developer_subscribes_an_app_and_its_target_gets_the_events(
    sandbox: Sandbox, receiver: Receiver, developer: HubSpot
) -> None:
    app, api = int(sandbox.config["hubspot"]["app_id"]), developer.webhooks
    with pytest.raises(WebhooksRefusal) as none_yet:
        api.settings_api.get_all(app)
    assert none_yet.value.status == 404
    wanted = {"eventType": "contact.propertyChange", "propertyName": "hs_email_optout", "active": False}
    made = api.subscriptions_api.create(app, wanted)
    with pytest.raises(WebhooksRefusal) as twice:
        api.subscriptions_api.create(app, wanted)
    assert twice.value.status == 400
    target = {"targetUrl": f"{receiver.url}/elsewhere", "throttling": {"maxConcurrentRequests": 10}}
    api.settings_api.configure(app, target)
    sandbox.settings(receiver=None)
    person = sandbox.people("joined_by_registrant")[0]["person"]
    assert sandbox.act("hubspot_unsubscribe", person).status is None
    api.subscriptions_api.update(made.id, app, {"active": True})
    assert sandbox.act("hubspot_unsubscribe", person).status == 200
    sent = receiver.received[0]
    assert sent["path"] == "/elsewhere"
    assert verified(sandbox, sent, f"{receiver.url}/elsewhere")
    assert json.loads(sent["body"])[0]["subscriptionId"] == int(made.id)
    assert [row.id for row in api.subscriptions_api.get_all(app).results] == [made.id]
    api.subscriptions_api.archive(made.id, app)
    assert api.subscriptions_api.get_all(app).results == []
    api.settings_api.clear(app)


def test_an_access_token_manages_no_webhooks(sdk: HubSpot, sandbox: Sandbox) -> None:
    with pytest.raises(WebhooksRefusal) as refused:
        sdk.webhooks.subscriptions_api.get_all(int(sandbox.config["hubspot"]["app_id"]))
    assert refused.value.status == 401


def post(sandbox: Sandbox, path: str, body: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {sandbox.credentials['hubspot']['access_token']}"}
    return requests.post(sandbox.urls["hubspot"] + path, json=body, headers=headers, timeout=5)
