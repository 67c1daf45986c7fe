"""Klaviyo's stand-in driven by the official SDK `klaviyo-api` (revision 2026-10-15)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from klaviyo_api import KlaviyoAPI
from openapi_client.api_arg_options import USE_DICTIONARY_FOR_RESPONSE_DATA
from openapi_client.exceptions import ApiException, NotFoundException, UnauthorizedException

from sandbox import Sandbox


@pytest.fixture
def sdk(sandbox: Sandbox) -> KlaviyoAPI:
    return KlaviyoAPI(
        sandbox.credentials["klaviyo"]["api_key"], max_delay=1, max_retries=1, test_host=sandbox.urls["klaviyo"],
        options={USE_DICTIONARY_FOR_RESPONSE_DATA: True},
    )  # fmt: skip


@pytest.fixture
def typed(sandbox: Sandbox) -> KlaviyoAPI:
    """The same, with answers parsed into the SDK's models, which refuses wrong shapes."""
    key = sandbox.credentials["klaviyo"]["api_key"]
    return KlaviyoAPI(key, max_delay=1, max_retries=1, test_host=sandbox.urls["klaviyo"])


def every(read: Callable[..., dict[str, Any]], **given: Any) -> list[dict[str, Any]]:
    """All rows of a collection by following `links.next`; the SDK takes the whole (https) link as cursor."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(100):
        page = read(**given, page_cursor=cursor)
        found += page["data"]
        cursor = page["links"]["next"]
        if not cursor:
            return found
        cursor = cursor.replace("http://", "https://")
    raise AssertionError("the pages never end")


def eventually(check: Callable[[], bool]) -> None:
    """Wait for a job's effect, two seconds at most."""
    deadline = time.monotonic() + 2
    while not check():
        assert time.monotonic() < deadline, "the effect never came"
        time.sleep(0.02)


def profile_of(sdk: KlaviyoAPI, row_id: str) -> dict[str, Any]:
    found: dict[str, Any] = sdk.Profiles.get_profile(row_id, additional_fields_profile=["subscriptions"])
    return found["data"]


def marketing(sdk: KlaviyoAPI, row_id: str) -> dict[str, Any]:
    found: dict[str, Any] = profile_of(sdk, row_id)["attributes"]["subscriptions"]["email"]["marketing"]
    return found


def members(sandbox: Sandbox, name: str) -> set[str]:
    return sandbox.members()["klaviyo"][name]


def list_id(sdk: KlaviyoAPI, name: str) -> str:
    found = sdk.Lists.get_lists(filter=f'equals(name,"{name}")')["data"]
    assert len(found) == 1
    return str(found[0]["id"])


def some(sandbox: Sandbox, story: str) -> tuple[str, str]:
    """Profile id and e-mail of a person of this story."""
    person = sandbox.people(story)[0]
    return person["records"]["klaviyo"][0], person["emails"][0]


def test_all_profiles_come_in_pages_and_in_order(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    found = every(sdk.Profiles.get_profiles, page_size=7, sort="updated")
    ids = [row["id"] for row in found]
    known = {row for person in sandbox.people() for row in person["records"].get("klaviyo", [])}
    updated = [row["attributes"]["updated"] for row in found]
    assert known <= set(ids)
    assert len(ids) == len(set(ids))
    assert updated == sorted(updated)


def test_the_models_of_the_sdk_accept_what_is_answered(typed: KlaviyoAPI) -> None:
    profiles = typed.Profiles.get_profiles(additional_fields_profile=["subscriptions"], page_size=100)
    assert profiles.data[0].attributes.subscriptions.email.marketing.consent
    assert typed.Lists.get_lists().data[0].attributes.name
    assert typed.Metrics.get_metrics().data[0].attributes.name
    assert typed.Events.get_events(include=["metric", "profile"]).data[0].attributes.datetime_
    assert typed.Accounts.get_accounts().data[0].attributes.test_account is True
    assert typed.Webhooks.get_webhook_topics().data[0].id.startswith("event:")


def test_consent_is_shown_only_when_asked_for(sdk: KlaviyoAPI) -> None:
    plain = sdk.Profiles.get_profiles()["data"][0]["attributes"]
    asked = sdk.Profiles.get_profiles(additional_fields_profile=["subscriptions"])["data"][0]["attributes"]
    assert "subscriptions" not in plain
    assert "subscriptions" in asked


def test_updated_is_compared_strictly(sdk: KlaviyoAPI) -> None:
    newest = every(sdk.Profiles.get_profiles, sort="-updated", page_size=5)[0]
    moment = newest["attributes"]["updated"]
    later = sdk.Profiles.get_profiles(filter=f"greater-than(updated,{moment})")["data"]
    assert newest["id"] not in [row["id"] for row in later]


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ({"filter": "greater-or-equal(updated,2026-01-01T00:00:00Z)"}, "filter"),
        ({"filter": "equals(shoe_size,42)"}, "filter"),
        ({"filter": "greater-than(updated,yesterday)"}, "filter"),
        ({"sort": "last_name"}, "sort"),
    ],
)
def test_wrong_queries_are_refused(sdk: KlaviyoAPI, given: dict[str, str], parameter: str) -> None:
    with pytest.raises(ApiException) as refused:
        sdk.Profiles.get_profiles(**given)
    assert refused.value.status == 400
    assert f'"parameter":"{parameter}"' in refused.value.body


def test_a_profile_is_found_by_address_in_any_case(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "good_buyer")
    found = sdk.Profiles.get_profiles(filter=f'equals(email,"{email.upper()}")')["data"]
    assert [row["id"] for row in found] == [row_id]


def test_new_suppressions_can_be_polled(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, _ = some(sandbox, "bounced")
    name = "subscriptions.email.marketing.suppression"
    query = f'and(greater-or-equal({name}.timestamp,2020-01-01T00:00:00Z),equals({name}.reason,"HARD_BOUNCE"))'
    found = every(sdk.Profiles.get_profiles, filter=query, page_size=50)
    assert row_id in [row["id"] for row in found]


def test_events_carry_their_metric_and_profile(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, _ = some(sandbox, "webinar_guest")
    metrics = {row["id"]: row["attributes"]["name"] for row in sdk.Metrics.get_metrics()["data"]}
    found = sdk.Events.get_events(filter=f'equals(profile_id,"{row_id}")', include=["metric"], sort="datetime")
    names = [metrics[row["relationships"]["metric"]["data"]["id"]] for row in found["data"]]
    assert "Webinar Registered" in names
    assert {row["id"] for row in found["included"]} <= metrics.keys()


def test_lists_come_ten_at_a_time(sdk: KlaviyoAPI) -> None:
    first = sdk.Lists.get_lists()
    assert len(first["data"]) == 10
    assert len(every(sdk.Lists.get_lists)) > 10


def test_membership_changes_without_touching_consent(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, _ = some(sandbox, "buyer_withdrew_email")
    target, before = list_id(sdk, "Spring sale"), marketing(sdk, row_id)
    body = {"data": [{"type": "profile", "id": row_id}]}
    sdk.Lists.add_profiles_to_list(target, body)
    sdk.Lists.add_profiles_to_list(target, body)
    assert [row["id"] for row in sdk.Lists.get_profiles_for_list(target)["data"]] == [row_id]
    assert [row["id"] for row in sdk.Lists.get_profile_ids_for_list(target)["data"]] == [row_id]
    assert members(sandbox, "Spring sale") == {row_id}
    sdk.Lists.remove_profiles_from_list(target, body)
    assert members(sandbox, "Spring sale") == set()
    assert marketing(sdk, row_id) == before


def test_members_come_in_pages(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    target = list_id(sdk, "Gift guide")
    ids = [row["id"] for row in every(sdk.Profiles.get_profiles, page_size=50)][:25]
    sdk.Lists.add_profiles_to_list(target, {"data": [{"type": "profile", "id": row_id} for row_id in ids]})
    found = every(lambda **given: sdk.Lists.get_profiles_for_list(target, **given), page_size=10)
    assert {row["id"] for row in found} == set(ids)
    assert len(found) == 25


def test_an_unknown_list_or_profile_is_not_found(sdk: KlaviyoAPI) -> None:
    with pytest.raises(NotFoundException):
        sdk.Lists.get_list("nolist")
    with pytest.raises(NotFoundException):
        sdk.Lists.add_profiles_to_list(list_id(sdk, "Staff"), {"data": [{"type": "profile", "id": "01NOBODY"}]})


def test_a_bulk_import_ends_with_an_outcome_per_row(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "good_buyer")
    rows = [
        {"type": "profile", "id": row_id, "attributes": {"email": email, "properties": {"spent": "12.50"}}},
        {"type": "profile", "attributes": {"email": "not an address"}},
    ]
    target = list_id(sdk, "Summer sale")
    body = {
        "data": {
            "type": "profile-bulk-import-job", "attributes": {"profiles": {"data": rows}},
            "relationships": {"lists": {"data": [{"type": "list", "id": target}]}},
        }
    }  # fmt: skip
    before = marketing(sdk, row_id)
    job = sdk.Profiles.bulk_import_profiles(body)["data"]
    assert job["attributes"]["status"] == "queued"

    def read() -> dict[str, Any]:
        found: dict[str, Any] = sdk.Profiles.get_bulk_import_profiles_job(job["id"])["data"]["attributes"]
        return found

    eventually(lambda: read()["status"] == "complete")
    assert (read()["completed_count"], read()["failed_count"]) == (1, 1)
    errors = sdk.Profiles.get_errors_for_bulk_import_profiles_job(job["id"])["data"]
    pointers = [error["attributes"]["source"]["pointer"] for error in errors]
    assert pointers == ["/data/attributes/profiles/data/1/attributes"]
    assert profile_of(sdk, row_id)["attributes"]["properties"]["spent"] == "12.50"
    assert members(sandbox, "Summer sale") == {row_id}
    assert marketing(sdk, row_id) == before


def test_a_job_goes_through_queued_and_processing(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    sandbox.settings(job_seconds=0.4)
    body = {"data": {"type": "profile-bulk-import-job", "attributes": {
        "profiles": {"data": [{"type": "profile", "attributes": {"email": "new@example.com"}}]}}}}  # fmt: skip
    seen = [sdk.Profiles.bulk_import_profiles(body)["data"]["attributes"]["status"]]
    job = sandbox.calls(path="/api/profile-bulk-import-jobs", method="POST")[-1]
    assert job["status"] == 202
    row_id = sdk.Profiles.bulk_import_profiles(body)["data"]["id"]
    sandbox.settings(job_seconds=0.4)
    eventually(lambda: _note(seen, sdk.Profiles.get_bulk_import_profiles_job(row_id)["data"]["attributes"]["status"]))
    sandbox.settings(job_seconds=0.05)
    assert list(dict.fromkeys(seen)) == ["queued", "processing", "complete"]


def _note(seen: list[str], status: str) -> bool:
    seen.append(status)
    return status == "complete"


def test_an_upsert_answers_whether_the_profile_is_new(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "lapsed_sms")
    body = {"data": {"type": "profile", "attributes": {"email": email, "first_name": "Ada"}}}
    assert sdk.Profiles.create_or_update_profile(body)["data"]["id"] == row_id
    assert sandbox.calls(path="/api/profile-import")[-1]["status"] == 200
    body["data"]["attributes"] = {"email": "stranger@example.com"}
    sdk.Profiles.create_or_update_profile(body)
    assert sandbox.calls(path="/api/profile-import")[-1]["status"] == 201


def test_creating_a_known_address_names_the_duplicate(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "good_buyer")
    with pytest.raises(ApiException) as refused:
        sdk.Profiles.create_profile({"data": {"type": "profile", "attributes": {"email": email}}})
    assert refused.value.status == 409
    assert f'"duplicate_profile_id":"{row_id}"' in refused.value.body


def test_suppression_takes_effect_when_its_job_ends(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "came_back")
    body = {"data": {"type": "profile-suppression-bulk-create-job", "attributes": {
        "profiles": {"data": [{"type": "profile", "attributes": {"email": email}}]}}}}  # fmt: skip
    job = sdk.Profiles.bulk_suppress_profiles(body)["data"]["id"]
    eventually(lambda: sdk.Profiles.get_bulk_suppress_profiles_job(job)["data"]["attributes"]["status"] == "complete")
    assert "USER_SUPPRESSED" in [entry["reason"] for entry in marketing(sdk, row_id)["suppression"]]


def unsubscribe(sdk: KlaviyoAPI, email: str, target: str | None) -> None:
    attributes = {"email": email, "subscriptions": {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}}}
    data: dict[str, Any] = {
        "type": "profile-subscription-bulk-delete-job",
        "attributes": {"profiles": {"data": [{"type": "profile", "attributes": attributes}]}},
    }
    if target:
        data["relationships"] = {"list": {"data": {"type": "list", "id": target}}}
    sdk.Profiles.bulk_unsubscribe_profiles({"data": data})


def test_unsubscribing_from_a_list_spares_those_on_it_and_hits_everybody_else(
    sdk: KlaviyoAPI, sandbox: Sandbox
) -> None:
    """The trap of the API: who is not on the list given loses all e-mail consent."""
    on_it, on_email = some(sandbox, "lapsed_stopped")
    off_it, off_email = some(sandbox, "vaper_verified")
    target = list_id(sdk, "Early access")
    sdk.Lists.add_profiles_to_list(target, {"data": [{"type": "profile", "id": on_it}]})
    unsubscribe(sdk, on_email, target)
    unsubscribe(sdk, off_email, target)
    eventually(lambda: marketing(sdk, off_it)["consent"] == "UNSUBSCRIBED")
    assert marketing(sdk, on_it)["consent"] == "SUBSCRIBED"
    assert [entry["list_id"] for entry in marketing(sdk, on_it)["list_suppressions"]] == [target]
    assert members(sandbox, "Early access") == set()


def test_subscribing_lifts_suppressions_and_the_log_says_so(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "complained")
    attributes = {"email": email, "subscriptions": {"email": {"marketing": {"consent": "SUBSCRIBED"}}}}
    body = {"data": {"type": "profile-subscription-bulk-create-job", "attributes": {
        "profiles": {"data": [{"type": "profile", "attributes": attributes}]}}}}  # fmt: skip
    sdk.Profiles.bulk_subscribe_profiles(body)
    eventually(lambda: marketing(sdk, row_id)["suppression"] == [])
    assert sandbox.calls(note="grant")[-1]["path"] == "/api/profile-subscription-bulk-create-jobs"
    # Facts do not follow what a client writes: the truth still knows the complaint.
    assert (
        "spam_complaint"
        in sandbox.truth()["audiences"]["recent_buyers"]["people"].get(
            sandbox.people("complained")[0]["person"], {"reasons": ["spam_complaint"]}
        )["reasons"]
    )


def test_an_erased_profile_is_gone(sdk: KlaviyoAPI, sandbox: Sandbox) -> None:
    row_id, email = some(sandbox, "tied")
    profile = {"data": {"type": "profile", "attributes": {"email": email}}}
    sdk.Data_Privacy.request_profile_deletion(
        {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": profile}}}
    )

    def gone() -> bool:
        try:
            sdk.Profiles.get_profile(row_id)
        except NotFoundException:
            return True
        return False

    eventually(gone)
    events = sdk.Events.get_events(filter=f'equals(profile_id,"{row_id}")')["data"]
    assert events == []


def test_a_wrong_key_is_refused(sandbox: Sandbox) -> None:
    stranger = KlaviyoAPI("pk_wrong", max_delay=1, max_retries=1, test_host=sandbox.urls["klaviyo"])
    with pytest.raises(UnauthorizedException):
        stranger.Accounts.get_accounts()


def test_the_sdk_waits_out_a_429(sandbox: Sandbox) -> None:
    sandbox.misbehave("klaviyo", "429", seconds=1, path="/api/accounts")
    patient = KlaviyoAPI(
        sandbox.credentials["klaviyo"]["api_key"], max_delay=1, max_retries=3, test_host=sandbox.urls["klaviyo"]
    )
    assert patient.Accounts.get_accounts().data
    statuses = [call["status"] for call in sandbox.calls(path="/api/accounts")[-2:]]
    assert statuses == [429, 200]
