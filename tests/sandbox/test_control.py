"""The control API: the log, members, truth and people, the same on every stand-in."""

from __future__ import annotations

import pytest
import requests

from sandbox import Sandbox
from sandbox.client import SandboxError
from sandbox.facts import Facts
from sandbox.population import generate
from sandbox.truth import AUDIENCES, Truth

from .conftest import AS_OF


@pytest.fixture(scope="module")
def facts() -> Facts:
    return generate(60, 3, AS_OF)


def test_the_truth_is_served_alike_by_every_stand_in(sandbox: Sandbox, facts: Facts) -> None:
    asked = {"as_of": AS_OF.isoformat()}
    told = [requests.get(f"{url}/_sandbox/truth", params=asked, timeout=5).json() for url in sandbox.urls.values()]
    assert told[0] == told[1] == told[2]
    assert told[0] == Truth(facts, AS_OF).document()


@pytest.mark.parametrize("audience", AUDIENCES)
def test_expected_members_are_records_that_the_destination_has(
    sandbox: Sandbox, audience: str, klaviyo: requests.Session, shopify: requests.Session, hubspot: requests.Session
) -> None:
    expected = sandbox.expected_members(audience, AS_OF)
    assert all(expected.values())
    for row_id in sorted(expected.get("klaviyo", set()))[:3]:
        assert klaviyo.get(f"{sandbox.urls['klaviyo']}/api/profiles/{row_id}", timeout=5).status_code == 200
    for row_id in sorted(expected.get("shopify", set()))[:3]:
        url = f"{sandbox.urls['shopify']}/admin/api/2026-10/customers/{row_id}.json"
        assert shopify.get(url, timeout=5).status_code == 200
    for row_id in sorted(expected.get("hubspot", set()))[:3]:
        url = f"{sandbox.urls['hubspot']}/crm/objects/2026-09/contacts/{row_id}"
        assert hubspot.get(url, timeout=5).status_code == 200
    assert expected.get("aevent", set()) <= sandbox.members()["aevent"]["(timeline)"]


def test_the_lists_of_the_segments_are_empty_and_another_is_not(sandbox: Sandbox) -> None:
    held = sandbox.members()["klaviyo"]
    targets = {rule.destinations["klaviyo"] for rule in AUDIENCES.values() if "klaviyo" in rule.destinations}
    assert all(held[name] == set() for name in targets)
    targets = {rule.destinations["hubspot"] for rule in AUDIENCES.values() if "hubspot" in rule.destinations}
    assert [sandbox.members()["hubspot"][name] for name in sorted(targets)] == [set(), set()]
    assert sandbox.members()["hubspot"]["All staff"]
    assert held["Newsletter"]
    assert not [tag for tag in sandbox.members()["shopify"] if tag.startswith("aud-")]


def test_the_log_keeps_every_call_and_is_searchable(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    url = f"{sandbox.urls['klaviyo']}/api/profile-import"
    body = {"data": {"type": "profile", "attributes": {"email": "seen@example.com"}}}
    klaviyo.post(url, json=body, params={"fields[profile]": "email"}, timeout=5)
    call = sandbox.calls(platform="klaviyo", method="POST", path="/api/profile-import")[-1]
    assert "seen@example.com" in call["body"]
    assert "fields%5Bprofile%5D=email" in call["query"]
    assert (call["status"], call["ms"] > 0) == (201, True)
    assert sandbox.calls(after=call["number"]) == []
    assert sandbox.calls(status=418) == []
    sandbox.clear_calls()
    assert sandbox.calls() == []


def test_control_calls_are_not_in_the_log(sandbox: Sandbox) -> None:
    sandbox.clear_calls()
    sandbox.members()
    assert sandbox.calls() == []


def test_a_person_is_found_by_any_name(sandbox: Sandbox) -> None:
    person = sandbox.people("one_phone_two_mails")[0]
    names = [person["person"], *person["emails"], *person["phones"], f"klaviyo:{person['records']['klaviyo'][0]}"]
    assert {sandbox.person(name)["person"] for name in names} == {person["person"]}
    assert len(person["emails"]) == 2


def test_an_unknown_setting_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="job_seconds"):
        sandbox.settings(speed="fast")
