"""Each kind of misbehaviour, as a client meets it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from sandbox import Sandbox
from sandbox.client import SandboxError

LISTS = "/api/lists"


@pytest.fixture(autouse=True)
def behaves_afterwards(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.behave()


def get(klaviyo: requests.Session, sandbox: Sandbox, path: str = LISTS) -> requests.Response:
    return klaviyo.get(sandbox.urls["klaviyo"] + path, timeout=5)


def test_a_burst_of_429_ends_after_the_calls_asked_for(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    sandbox.misbehave("klaviyo", "429", times=2, seconds=3)
    told = [get(klaviyo, sandbox) for _ in range(3)]
    assert [answer.status_code for answer in told] == [429, 429, 200]
    assert told[0].headers["Retry-After"] == "3"
    assert [call.get("fault") for call in sandbox.calls(path=LISTS)[-3:]] == ["429", "429", None]


def test_a_fault_strikes_its_path_and_method_only(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    sandbox.misbehave("klaviyo", "500", path="/api/metrics", method="GET")
    assert get(klaviyo, sandbox).status_code == 200
    assert get(klaviyo, sandbox, "/api/metrics").status_code == 500
    assert get(klaviyo, sandbox, "/api/metrics").status_code == 200


def test_html_comes_instead_of_json(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    sandbox.misbehave("klaviyo", "html")
    told = get(klaviyo, sandbox)
    assert told.headers["Content-Type"].startswith("text/html")
    with pytest.raises(requests.JSONDecodeError):
        told.json()


def test_json_ends_in_the_middle(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    sandbox.misbehave("klaviyo", "truncated")
    told = get(klaviyo, sandbox)
    assert told.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        told.json()


def test_the_connection_is_cut(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    sandbox.misbehave("klaviyo", "cut")
    with pytest.raises(requests.RequestException):
        get(klaviyo, sandbox)
    assert sandbox.calls(path=LISTS)[-1]["status"] == 0
    assert get(klaviyo, sandbox).status_code == 200


def test_an_answer_is_slow(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    sandbox.misbehave("klaviyo", "slow", seconds=0.2)
    started = time.perf_counter()
    assert get(klaviyo, sandbox).status_code == 200
    assert time.perf_counter() - started >= 0.2


@pytest.mark.parametrize("kind", ["500", "cut"])
@pytest.mark.parametrize("effect", [True, False])
def test_a_failed_write_may_have_been_carried_out(
    sandbox: Sandbox, klaviyo: requests.Session, kind: str, effect: bool
) -> None:
    person = sandbox.people("good_buyer")[0]["records"]["klaviyo"][0]
    lists = {row["attributes"]["name"]: row["id"] for row in get(klaviyo, sandbox).json()["data"]}
    path = f"{sandbox.urls['klaviyo']}/api/lists/{lists['Spring sale']}/relationships/profiles"
    body = {"data": [{"type": "profile", "id": person}]}
    sandbox.misbehave("klaviyo", kind, method="POST", effect=effect)
    try:
        assert klaviyo.post(path, json=body, timeout=5).status_code == 500
    except requests.RequestException:
        assert kind == "cut"
    assert (person in sandbox.members()["klaviyo"]["Spring sale"]) is effect
    klaviyo.delete(path, json=body, timeout=5)


def test_a_batch_fails_for_the_records_named(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    sandbox.misbehave("klaviyo", "partial", records=["bad@example.com"])
    rows = [{"type": "profile", "attributes": {"email": email}} for email in ("bad@example.com", "fine@example.com")]
    body = {"data": {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": rows}}}}
    url = f"{sandbox.urls['klaviyo']}/api/profile-bulk-import-jobs"
    job = f"{url}/{klaviyo.post(url, json=body, timeout=5).json()['data']['id']}"
    deadline = time.monotonic() + 2
    while (told := klaviyo.get(job, timeout=5).json()["data"]["attributes"])["status"] != "complete":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (told["completed_count"], told["failed_count"]) == (1, 1)
    errors = klaviyo.get(f"{job}/import-errors", timeout=5).json()["data"]
    assert errors[0]["attributes"]["original_payload"]["attributes"]["email"] == "bad@example.com"


def test_one_alias_of_a_mutation_fails_for_the_record_named(sandbox: Sandbox, shopify: requests.Session) -> None:
    row_id = sandbox.people("good_buyer")[0]["records"]["shopify"][0]
    sandbox.misbehave("shopify", "partial", records=[row_id])
    query = f'mutation {{ tagsAdd(id: "gid://shopify/Customer/{row_id}", tags: "x") {{ userErrors {{ message }} }} }}'
    url = f"{sandbox.urls['shopify']}/admin/api/2026-10/graphql.json"
    told = shopify.post(url, json={"query": query}, timeout=5).json()
    assert told["data"]["tagsAdd"]["userErrors"]


def test_a_throttled_graphql_call_is_http_200(sandbox: Sandbox, shopify: requests.Session) -> None:
    sandbox.misbehave("shopify", "429", path="/admin/api/2026-10/graphql.json")
    url = f"{sandbox.urls['shopify']}/admin/api/2026-10/graphql.json"
    told = shopify.post(url, json={"query": "{ shop { name } }"}, timeout=5)
    assert (told.status_code, told.json()["errors"][0]["extensions"]["code"]) == (200, "THROTTLED")


@pytest.mark.parametrize(("platform", "code"), [("shopify", None), ("twilio", 20429), ("hubspot", None)])
def test_every_platform_has_its_own_429(
    sandbox: Sandbox, platform: str, code: int | None, request: pytest.FixtureRequest
) -> None:
    sandbox.misbehave(platform, "429", seconds=2)
    told = request.getfixturevalue(platform).get(f"{sandbox.urls[platform]}/", timeout=5)
    assert told.status_code == 429
    assert told.json().get("code") == code
    assert told.headers.get("Retry-After") == ("2.0" if platform == "shopify" else None)


def test_an_unknown_fault_is_refused_with_the_known_ones(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="truncated"):
        sandbox.misbehave("klaviyo", "earthquake")
