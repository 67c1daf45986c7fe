"""Shopify's manners: versions that fall forward, throttling as HTTP 200, tokens that end, metafields by the page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from dlt_sources import tokens
from dlt_sources.accounts import Account
from dlt_sources.errors import RetryLater, SetAside, StopRun
from dlt_sources.platforms.shopify import PLATFORM, client, source
from tests.platforms.servers import Answering

OBJECTS = {obj.name: obj for obj in PLATFORM.objects}
SINCE = datetime(2026, 11, 1, 10, tzinfo=UTC)
Calls = Callable[..., list[dict[str, Any]]]
Bad = tuple[str, Answering]

THROTTLED = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 252,
            "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 52, "restoreRate": 100.0},
        }
    },
}


def at(url: str, **settings: str) -> Account:
    return Account("shopify", "main", "acme", "US", (), {"base_url": url, "access_token": "shpat_x", **settings})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("customers", {"limit": ["250"], "updated_at_min": ["2026-11-01T10:00:00Z"]}),
        ("orders", {"limit": ["250"], "updated_at_min": ["2026-11-01T10:00:00Z"], "status": ["any"]}),
    ],
)
def test_the_first_page_is_asked_for_with(
    account: Account, calls: Calls, name: str, expected: dict[str, list[str]]
) -> None:
    list(source.pages(account, OBJECTS[name], SINCE))
    [first] = calls(method="GET")[:1]
    assert first["path"] == f"/admin/api/2026-10/{name}.json"
    assert parse_qs(first["query"]) == expected


def test_orders_of_every_status_are_pulled(account: Account) -> None:
    orders = [order for page in source.pages(account, OBJECTS["orders"], None) for order in page]
    assert any(order["cancelled_at"] for order in orders)
    assert any(not order["cancelled_at"] for order in orders)


def test_metafields_of_a_page_cost_one_call(account: Account, calls: Calls) -> None:
    pages = list(source.pages(account, OBJECTS["customers"], None))
    customers = [customer for page in pages for customer in page]
    born = [customer["metafields"] for customer in customers if customer["metafields"]]
    assert born
    assert {(field["namespace"], field["key"], field["type"]) for [field] in born} == {("facts", "birth_date", "date")}
    assert len(calls(method="POST")) == len(pages)
    # The payload is the REST customer with one key more.
    assert {"email_marketing_consent", "sms_marketing_consent", "tags", "default_address"} <= customers[0].keys()


def test_the_metafield_of_an_external_id_is_pulled_beside_the_others(account: Account, calls: Calls) -> None:
    carrying = replace(account, external_ids={"aevent:main": "facts.aevent_registrant_id"})
    list(source.pages(carrying, OBJECTS["customers"], None))
    query = calls(method="POST")[0]["body"]["query"]
    assert 'namespace: "facts", key: "aevent_registrant_id"' in query
    assert 'namespace: "facts", key: "birth_date"' in query


def test_more_metafields_stay_below_the_price_of_one_query(account: Account, calls: Calls) -> None:
    named = ", ".join(f"custom.m{number}" for number in range(20))
    wanted = replace(account, settings={**account.settings, "metafields": named})
    list(source.pages(wanted, OBJECTS["customers"], None))
    asked = [len(call["body"]["variables"]["ids"]) for call in calls(method="POST")]
    assert max(asked) == client.QUERY_POINTS // 21
    assert sum(asked) == sum(len(page) for page in source.pages(account, OBJECTS["customers"], None))


def test_a_version_that_fell_forward_stops_the_run(bad_server: Bad) -> None:
    url, told = bad_server
    told.__dict__.update(Answering(200, b'{"customers":[]}', {"X-Shopify-API-Version": "2027-01"}).__dict__)
    with pytest.raises(StopRun, match="2027-01 answered"):
        list(source.pages(at(url), OBJECTS["customers"], None))


def test_throttling_says_when_the_points_are_back(bad_server: Bad) -> None:
    url, told = bad_server
    told.__dict__.update(Answering(200, json.dumps(THROTTLED).encode()).__dict__)
    with client.session(at(url)) as session, pytest.raises(RetryLater) as raised:
        client.graphql(session, "{ shop { name } }", {}, object="test")
    assert raised.value.throttled
    assert raised.value.retry_after == pytest.approx(2.0)


def test_a_pull_waits_out_throttling(account: Account, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    answers = iter([THROTTLED, THROTTLED])
    genuine = client.json_body
    monkeypatch.setattr(client, "json_body", lambda *call: next(answers, None) or genuine(*call))
    pages = list(source.pages(account, OBJECTS["customers"], None))
    assert sum(bool(customer["metafields"]) for page in pages for customer in page) > 0
    assert slept == [2.0, 2.0]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ACCESS_DENIED", StopRun),
        ("INTERNAL_SERVER_ERROR", RetryLater),
        ("MAX_COST_EXCEEDED", SetAside),
        ("undefinedField", SetAside),
    ],
)
def test_errors_inside_an_http_200_become_errors_of_the_tree(
    bad_server: Bad, code: str, error: type[Exception]
) -> None:
    url, told = bad_server
    body = {"data": None, "errors": [{"message": "jane.doe@example.com", "extensions": {"code": code}}]}
    told.__dict__.update(Answering(200, json.dumps(body).encode()).__dict__)
    with client.session(at(url)) as session, pytest.raises(error) as raised:
        client.graphql(session, "{ shop { name } }", {}, object="test")
    assert code in str(raised.value)
    assert "jane" not in str(raised.value)


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ("Not Found", "Not Found"),
        ({"email": ["has already been taken"]}, "email: has already been taken"),
        (["a", "b"], "['a', 'b']"),
        ({"email": ["jane.doe@example.com is taken"]}, "email: … is taken"),
    ],
)
def test_the_forms_of_rest_errors_are_all_read(bad_server: Bad, errors: Any, said: str) -> None:
    url, told = bad_server
    told.__dict__.update(Answering(422, json.dumps({"errors": errors}).encode()).__dict__)
    with client.session(at(url)) as session, pytest.raises(SetAside) as raised:
        session.call("GET", "/x.json", object="test", explain=client.explain)
    assert raised.value.failure.detail == said


def test_a_token_of_the_grant_is_fetched_once_and_renewed_before_it_ends(
    bad_server: Bad, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, told = bad_server
    monkeypatch.setattr(tokens, "_store", tokens._Memory())
    account = Account(
        "shopify", "grant", "acme", "US", (), {"base_url": url, "client_id": "id", "client_secret": "hidden"}
    )
    told.body = json.dumps({"access_token": "t1", "expires_in": 86399}).encode()
    assert [client.access_token(account) for _ in range(3)] == ["t1"] * 3
    assert told.calls == ["POST /admin/oauth/access_token"]
    ending = tokens.Token("t1", datetime.now(UTC) + timedelta(seconds=30))
    tokens._store.put(account.key, ending)
    told.body = json.dumps({"access_token": "t2", "expires_in": 86399}).encode()
    assert client.access_token(account) == "t2"


def test_a_grant_without_a_token_stops_the_run(bad_server: Bad, monkeypatch: pytest.MonkeyPatch) -> None:
    url, told = bad_server
    monkeypatch.setattr(tokens, "_store", tokens._Memory())
    account = Account(
        "shopify", "grant", "acme", "US", (), {"base_url": url, "client_id": "id", "client_secret": "hidden"}
    )
    told.__dict__.update(Answering(200, b"{}").__dict__)
    with pytest.raises(StopRun, match="client_id"):
        client.check(account)


@pytest.mark.parametrize("shop", ["acme", "acme.myshopify.com", "https://acme.myshopify.com/"])
def test_a_shop_may_be_named_short_or_whole(shop: str) -> None:
    account = Account("shopify", "main", "acme", "US", (), {"shop": shop, "access_token": "t"})
    assert client.session(account).base_url == "https://acme.myshopify.com"
