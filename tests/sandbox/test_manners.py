"""Refusals, limits and headers of each platform, over plain HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from sandbox import Sandbox, running
from sandbox.limits import FixedWindow, LeakyBucket
from sandbox.platforms.hubspot.standin import READ_ONLY_TOKEN
from sandbox.standin import all_platforms

from .conftest import AS_OF

PLATFORMS = [standin.name for standin in all_platforms()]
INSIDE = {
    "shopify": "/admin/api/2026-10/shop.json",
    "klaviyo": "/api/accounts",
    "twilio": "/2010-04-01/Accounts/{account_sid}.json",
    "hubspot": "/crm/objects/2026-09/contacts",
    "aevent": "/setpixel?page=webhook&value=Buyer&email=jane@example.com&wtl=",
}
#: What a stranger hears inside and on an unknown path; AEvent's only credential is part of one path's URL.
REFUSED = {"aevent": (403, 404)}


def session_for(request: pytest.FixtureRequest, platform: str) -> requests.Session:
    found: requests.Session = request.getfixturevalue(platform)
    return found


def inside(sandbox: Sandbox, platform: str) -> str:
    return sandbox.urls[platform] + INSIDE[platform].format(**sandbox.credentials[platform])


def test_every_stand_in_of_the_folder_is_served(sandbox: Sandbox) -> None:
    folder = Path(__file__).parents[2] / "sandbox" / "platforms"
    assert set(sandbox.urls) == {path.name for path in folder.iterdir() if (path / "__init__.py").exists()}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_stranger_is_refused_on_every_path(sandbox: Sandbox, platform: str) -> None:
    known = requests.get(inside(sandbox, platform), timeout=5)
    unknown = requests.get(f"{sandbox.urls[platform]}/nowhere", timeout=5)
    assert (known.status_code, unknown.status_code) == REFUSED.get(platform, (401, 401))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_unknown_path_is_not_found_in_the_platforms_own_words(
    sandbox: Sandbox, platform: str, request: pytest.FixtureRequest
) -> None:
    told = session_for(request, platform).get(f"{sandbox.urls[platform]}/nowhere", timeout=5)
    assert told.status_code == 404
    own_words = {
        "shopify": lambda body: body == {"errors": "Not Found"},
        "klaviyo": lambda body: body["errors"][0]["code"] == "not_found",
        "twilio": lambda body: body["code"] == 20404,
        "aevent": lambda body: body["code"] == "not_found",
        "hubspot": lambda body: (body["status"], body["category"]) == ("error", "OBJECT_NOT_FOUND"),
    }
    assert own_words[platform](told.json())


@pytest.mark.parametrize(
    ("platform", "status"), [("shopify", 406), ("klaviyo", 405), ("twilio", 405), ("aevent", 405), ("hubspot", 405)]
)
def test_a_wrong_method_is_refused(
    sandbox: Sandbox, platform: str, status: int, request: pytest.FixtureRequest
) -> None:
    told = session_for(request, platform).patch(inside(sandbox, platform), timeout=5)
    assert told.status_code == status


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("2023-01", "2026-01"), ("2026-01", "2026-01"), ("2026-07", "2026-07"), ("2026-10", "2026-10")],
)
def test_old_shopify_versions_fall_forward(
    sandbox: Sandbox, shopify: requests.Session, asked: str, answered: str
) -> None:
    told = shopify.get(f"{sandbox.urls['shopify']}/admin/api/{asked}/customers.json?limit=1", timeout=5)
    assert (told.status_code, told.headers["X-Shopify-API-Version"]) == (200, answered)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"revision": ""}, 400),
        ({"revision": "soon"}, 400),
        ({"revision": "2030-01-15"}, 400),
        ({"revision": "2023-02-22"}, 200),
        ({"revision": "2023-02-22", "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1"}, 410),
        ({"revision": "2026-07-15", "X-Klaviyo-Revision-Fall-Forward-Opt-Out": "1"}, 200),
    ],
)
def test_klaviyo_wants_a_revision_it_knows(
    sandbox: Sandbox, klaviyo: requests.Session, headers: dict[str, str], status: int
) -> None:
    assert klaviyo.get(f"{sandbox.urls['klaviyo']}/api/lists", headers=headers, timeout=5).status_code == status


@pytest.mark.parametrize("prefix", ["/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09"])
@pytest.mark.parametrize("kind", ["contacts", "0-1"])
def test_hubspot_answers_alike_in_every_version(
    sandbox: Sandbox, hubspot: requests.Session, prefix: str, kind: str
) -> None:
    told = hubspot.get(f"{sandbox.urls['hubspot']}{prefix}/{kind}?limit=1", timeout=5)
    assert (told.status_code, len(told.json()["results"])) == (200, 1)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/crm/objects/2030-01/contacts", 404),
        ("/crm/objects/2026-09/deals", 400),
        ("/crm/objects/2026-09/contacts?limit=101", 400),
        ("/crm/objects/2026-09/contacts/3", 404),
        ("/crm/lists/2026-09/3", 404),
        ("/crm/lists/2026-09/101/memberships?limit=251", 400),
    ],
)
def test_hubspot_refuses_what_it_does_not_have(
    sandbox: Sandbox, hubspot: requests.Session, path: str, status: int
) -> None:
    assert hubspot.get(sandbox.urls["hubspot"] + path, timeout=5).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/crm/objects/2026-09/contacts", None),
        ("POST", "/crm/objects/2026-09/contacts/search", None),
        ("POST", "/crm/objects/2026-09/contacts/batch/update", "crm.objects.contacts.write"),
        ("PUT", "/crm/lists/2026-09/101/memberships/add", "crm.lists.write"),
        ("GET", "/communication-preferences/v3/definitions", "communication_preferences.read"),
    ],
)
def test_an_app_without_the_scope_is_told_which_one_it_lacks(
    sandbox: Sandbox, method: str, path: str, scope: str | None
) -> None:
    headers = {"Authorization": f"Bearer {READ_ONLY_TOKEN}"}
    told = requests.request(method, sandbox.urls["hubspot"] + path, headers=headers, json={}, timeout=5)
    if scope is None:
        assert told.status_code == 200
    else:
        assert (told.status_code, told.json()["category"]) == (403, "MISSING_SCOPES")
        assert told.json()["errors"][0]["context"] == {"requiredScopes": [scope]}


def test_hubspots_limits_are_kept_apart_for_searches(tmp_path: Path) -> None:
    with running(tmp_path, people=20, as_of=AS_OF) as limited, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {limited.credentials['hubspot']['access_token']}"
        url = f"{limited.urls['hubspot']}/crm/objects/2026-09/contacts"
        found = [session.post(f"{url}/search", json={"limit": 1}, timeout=5) for _ in range(7)]
        refused = [answer for answer in found if answer.status_code == 429]
        assert refused
        assert refused[0].json()["policyName"] == "SECONDLY"
        assert "X-HubSpot-RateLimit-Max" not in refused[0].headers
        told = [session.get(f"{url}?limit=1", timeout=5) for _ in range(191)]
        assert (told[0].headers["X-HubSpot-RateLimit-Max"], told[0].headers["X-HubSpot-RateLimit-Remaining"]) == (
            "190", "189",
        )  # fmt: skip
        assert {answer.status_code for answer in told[:190]} == {200}
        assert (told[190].status_code, told[190].json()["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
        assert "Retry-After" not in told[190].headers


def test_klaviyo_refuses_bodies_that_are_not_json(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    told = klaviyo.post(f"{sandbox.urls['klaviyo']}/api/profile-import", data={"email": "a@example.com"}, timeout=5)
    assert told.status_code == 415


@pytest.mark.parametrize("size", ["0", "101", "many"])
def test_klaviyo_refuses_page_sizes_out_of_bounds(sandbox: Sandbox, klaviyo: requests.Session, size: str) -> None:
    told = klaviyo.get(f"{sandbox.urls['klaviyo']}/api/profiles", params={"page[size]": size}, timeout=5)
    assert (told.status_code, told.json()["errors"][0]["source"]) == (400, {"parameter": "page[size]"})


def test_too_many_rows_in_one_call_are_refused(sandbox: Sandbox, klaviyo: requests.Session) -> None:
    url = sandbox.urls["klaviyo"]
    row_id = klaviyo.get(f"{url}/api/lists", timeout=5).json()["data"][0]["id"]
    rows = {"data": [{"type": "profile", "id": str(number)} for number in range(1001)]}
    path = f"{url}/api/lists/{row_id}/relationships/profiles"
    assert klaviyo.post(path, json=rows, timeout=5).status_code == 400
    assert klaviyo.delete(path, json=rows, timeout=5).status_code == 400


def test_the_published_limits_are_kept(tmp_path: Path) -> None:
    """Shopify's bucket of 40, Klaviyo's one account call a second, and GraphQL's points, each with its headers."""
    with running(tmp_path, people=20, as_of=AS_OF) as limited:
        shop = {"X-Shopify-Access-Token": limited.credentials["shopify"]["access_token"]}
        url = f"{limited.urls['shopify']}/admin/api/2026-10"
        with requests.Session() as session:
            session.headers.update(shop)
            told = [session.get(f"{url}/shop.json", timeout=5) for _ in range(80)]
            throttled = [answer for answer in told if answer.status_code == 429]
            assert told[0].headers["X-Shopify-Shop-Api-Call-Limit"] == "1/40"
            assert throttled
            assert float(throttled[0].headers["Retry-After"]) > 0
            assert "Exceeded 2 calls per second" in throttled[0].json()["errors"]
            ids = [f"gid://shopify/Customer/{number}" for number in range(900)]
            query = {"query": "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", "variables": {"ids": ids}}
            costs = [session.post(f"{url}/graphql.json", json=query, timeout=5).json() for _ in range(2)]
            assert costs[0]["extensions"]["cost"]["requestedQueryCost"] == 900
            assert costs[0]["extensions"]["cost"]["actualQueryCost"] == 1
            fresh = (
                "mutation { "
                + " ".join(f'm{n}: tagsAdd(id: "x", tags: "a") {{ userErrors {{ message }} }}' for n in range(99))
                + " }"
            )
            burst = [session.post(f"{url}/graphql.json", json={"query": fresh}, timeout=5) for _ in range(4)]
            assert {answer.status_code for answer in burst} == {200}
            assert burst[-1].json()["errors"][0]["extensions"]["code"] == "THROTTLED"
        key = {
            "Authorization": f"Klaviyo-API-Key {limited.credentials['klaviyo']['api_key']}",
            "revision": limited.config["klaviyo"]["revision"],
        }
        accounts = [requests.get(f"{limited.urls['klaviyo']}/api/accounts", headers=key, timeout=5) for _ in range(3)]
        refused = [answer for answer in accounts if answer.status_code == 429]
        assert refused
        assert int(refused[0].headers["Retry-After"]) >= 1
        assert "RateLimit-Remaining" not in refused[0].headers
        assert accounts[0].headers["RateLimit-Remaining"] == "14"
        assert limited.calls(platform="klaviyo", status=429)


def test_a_bucket_leaks_and_a_window_ends() -> None:
    bucket = LeakyBucket(2, 1000.0)
    assert bucket.pour(2) == 0.0
    assert bucket.pour(2) > 0.0
    bucket.give_back(2)
    assert bucket.pour(2) == 0.0
    window = FixedWindow(1, 3600)
    assert window.ask() == 0
    window.take()
    assert 1 <= window.ask() <= 3600
