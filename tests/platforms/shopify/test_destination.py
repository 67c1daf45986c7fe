"""What is sent to Shopify, and what its answers become."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dlt_sources.accounts import Account
from dlt_sources.errors import ConfigurationError, SetAside
from dlt_sources.platform import Identifier, Outcome, Row, Target
from dlt_sources.platforms.shopify import client
from dlt_sources.platforms.shopify.destination import Shopify
from tests.platforms.servers import Answering

TAG = Target("tag", "aud-test")
Calls = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def shopify(account: Account) -> Shopify:
    return Shopify(account)


@pytest.fixture
def customers(account: Account) -> list[dict[str, Any]]:
    with client.session(account) as session:
        found = session.call("GET", f"{client.REST}/customers.json?limit=50", object="test").json()["customers"]
    both = [customer for customer in found if customer["email"] and customer["phone"]]
    assert len(both) > 5
    return both


def one(account: Account, customer_id: int) -> dict[str, Any]:
    with client.session(account) as session:
        answer = session.call("GET", f"{client.REST}/customers/{customer_id}.json", object="test")
    customer: dict[str, Any] = answer.json()["customer"]
    return customer


def test_tags_are_added_and_removed_without_touching_others(
    shopify: Shopify, account: Account, customers: Any, calls: Calls
) -> None:
    tagged = next(customer for customer in customers if customer["tags"])
    rows = [Row(row_id="a", record_id=str(tagged["id"])), Row(row_id="b", record_id=str(customers[0]["id"]))]
    shopify.add(TAG, rows)
    assert set(one(account, tagged["id"])["tags"].split(", ")) == {*tagged["tags"].split(", "), "aud-test"}
    shopify.remove(TAG, rows)
    assert {*one(account, tagged["id"])["tags"].split(", ")} == {*tagged["tags"].split(", ")}
    added, removed = calls(method="POST")
    for call, mutation in ((added, "tagsAdd"), (removed, "tagsRemove")):
        assert call["body"]["variables"] == {
            "tags": ["aud-test"],
            "v0": f"gid://shopify/Customer/{tagged['id']}",
            "v1": f"gid://shopify/Customer/{customers[0]['id']}",
        }
        assert call["body"]["query"] == (
            "mutation Audiences($tags: [String!]!, $v0: ID!, $v1: ID!) { "
            f"a0: {mutation}(id: $v0, tags: $tags) {{ userErrors {{ field message }} }} "
            f"a1: {mutation}(id: $v1, tags: $tags) {{ userErrors {{ field message }} }} }}"
        )


def test_each_aliased_mutation_answers_for_its_own_row(shopify: Shopify, customers: Any) -> None:
    rows = [
        Row(row_id="here", record_id=str(customers[0]["id"])),
        Row(row_id="gone", record_id="1"),
        Row(row_id="nobody", record_id=None),
    ]
    outcomes = {outcome.row_id: outcome for outcome in shopify.add(TAG, rows)}
    assert outcomes == {
        "here": Outcome(row_id="here", status="accepted"),
        "gone": Outcome(row_id="gone", status="dead", code="user_error", detail="id: Customer does not exist"),
        "nobody": Outcome(row_id="nobody", status="dead", code="no_record"),
    }
    shopify.remove(TAG, rows[:1])


def test_a_tag_carries_no_traits(shopify: Shopify) -> None:
    with pytest.raises(ConfigurationError, match="take them out of tag:aud-test"):
        shopify.add(TAG, [Row(row_id="r", record_id="1", traits={"a": 1})])


def test_a_row_for_several_customers_is_as_good_as_the_worst_of_them(bad_server: tuple[str, Answering]) -> None:
    url, told = bad_server
    customers = [
        {"id": f"gid://shopify/Customer/{n}", "defaultEmailAddress": {"emailAddress": "a@b.c"}} for n in (1, 2)
    ]
    shop = Shopify(Account("shopify", "main", "acme", "US", (), {"base_url": url, "access_token": "t"}))
    wrong, right = {"userErrors": [{"field": ["id"], "message": "no"}]}, {"userErrors": []}
    for first, second in ((wrong, right), (right, wrong)):
        told.body = json.dumps({"data": {"a0": {"nodes": customers, **first}, "a1": second}}).encode()
        rows = [Row(row_id="r", record_id=None, identifier=Identifier("email", "a@b.c"))]
        assert [(outcome.row_id, outcome.status) for outcome in shop.suppress("email", rows)] == [("r", "dead")]


@pytest.mark.parametrize(
    ("channel", "mutation", "argument"),
    [
        ("email", "customerEmailMarketingConsentUpdate", "emailMarketingConsent"),
        ("sms", "customerSmsMarketingConsentUpdate", "smsMarketingConsent"),
    ],
)
def test_a_withdrawal_writes_the_one_state_that_withdraws(
    shopify: Shopify,
    account: Account,
    customers: Any,
    calls: Calls,
    channel: str,
    mutation: str,
    argument: str,
) -> None:
    customer = customers[1]
    before = one(account, customer["id"])
    shopify.suppress(channel, [Row(row_id="r", record_id=str(customer["id"]))])
    [call] = calls(method="POST")
    assert call["body"] == {
        "query": f"mutation Audiences($v0: {mutation[0].upper()}{mutation[1:]}Input!) "
        f"{{ a0: {mutation}(input: $v0) {{ userErrors {{ field message }} }} }}",
        "variables": {
            "v0": {"customerId": customer["admin_graphql_api_id"], argument: {"marketingState": "UNSUBSCRIBED"}}
        },
    }
    after = one(account, customer["id"])
    assert after[f"{channel}_marketing_consent"]["state"] == "unsubscribed"
    other = "sms" if channel == "email" else "email"
    assert after[f"{other}_marketing_consent"] == before[f"{other}_marketing_consent"]


def test_a_withdrawal_by_address_reaches_its_customer_and_a_strangers_has_nothing_to_withdraw(
    shopify: Shopify, account: Account, customers: Any
) -> None:
    customer = customers[2]
    rows = [
        Row(row_id="known", record_id=None, identifier=Identifier("email", customer["email"].upper())),
        Row(row_id="stranger", record_id=None, identifier=Identifier("email", "nobody@nowhere.example")),
    ]
    assert shopify.suppress("email", rows) == [
        Outcome(row_id="known", status="accepted"),
        Outcome(row_id="stranger", status="accepted", code="no_record"),
    ]
    assert one(account, customer["id"])["email_marketing_consent"]["state"] == "unsubscribed"


def test_a_search_that_finds_others_too_is_not_believed(bad_server: tuple[str, Answering]) -> None:
    """Shopify's search is a search: it may answer `bob@example.com` with bob.b@example.com."""
    url, told = bad_server
    nodes = [
        {"id": "gid://shopify/Customer/1", "defaultEmailAddress": {"emailAddress": "bob.b@example.com"}},
        {"id": "gid://shopify/Customer/2", "defaultEmailAddress": {"emailAddress": "Bob@Example.com"}},
        {"id": "gid://shopify/Customer/3", "defaultEmailAddress": None, "defaultPhoneNumber": None},
    ]
    told.body = json.dumps({"data": {"a0": {"nodes": nodes}}}).encode()
    shop = Shopify(Account("shopify", "main", "acme", "US", (), {"base_url": url, "access_token": "t"}))
    asked = Identifier("email", "bob@example.com")
    assert shop.find([asked]) == {asked: ["2"]}


def test_an_answer_that_leaves_a_row_out_is_no_success(bad_server: tuple[str, Answering]) -> None:
    url, told = bad_server
    told.body = b'{"data":{"a0":{"userErrors":[]}}}'
    shop = Shopify(Account("shopify", "main", "acme", "US", (), {"base_url": url, "access_token": "t"}))
    with pytest.raises(SetAside, match="no answer for a row"):
        shop.add(TAG, [Row(row_id="a", record_id="1"), Row(row_id="b", record_id="2")])


def test_details_of_user_errors_hold_no_addresses(bad_server: tuple[str, Answering]) -> None:
    url, told = bad_server
    error = {
        "field": ["input", "emailMarketingConsent"],
        "message": "jane.doe@example.com (+1 415 555 0123) is bounced",
    }
    told.body = json.dumps({"data": {"a0": {"userErrors": [error]}}}).encode()
    shop = Shopify(Account("shopify", "main", "acme", "US", (), {"base_url": url, "access_token": "t"}))
    [outcome] = shop.suppress("email", [Row(row_id="a", record_id="1")])
    assert outcome.status == "dead"
    assert outcome.detail == "input.emailMarketingConsent: … (…) is bounced"


def test_the_bearers_of_a_tag_are_read_over_all_pages(bad_server: tuple[str, Answering], account: Account) -> None:
    url, told = bad_server
    pages = iter(
        {
            "data": {
                "customers": {
                    "nodes": [{"id": f"gid://shopify/Customer/{n}", "tags": tags} for n, tags in rows],
                    "pageInfo": {"hasNextPage": more, "endCursor": "c"},
                }
            }
        }
        for rows, more in (([(1, ["Aud-Test", "x"]), (2, ["aud-test-2"])], True), ([(3, ["aud-test"])], False))
    )
    shop = Shopify(Account("shopify", "main", "acme", "US", (), {"base_url": url, "access_token": "t"}))
    told.body = json.dumps(next(pages)).encode()
    reading = shop.read_back(TAG)
    assert next(reading) == "1"
    told.body = json.dumps(next(pages)).encode()
    assert list(reading) == ["3"]
    assert len(told.calls) == 2


def test_erasure_is_requested_for_every_record_of_an_address(shopify: Shopify, customers: Any, calls: Calls) -> None:
    customer = customers[-1]
    rows = [Row(row_id="r", record_id=None, identifier=Identifier("phone", customer["phone"]))]
    assert shopify.erase(rows) == [Outcome(row_id="r", status="accepted")]
    assert calls(method="POST")[-1]["body"] == {
        "query": "mutation Audiences($v0: ID!) { a0: customerRequestDataErasure(customerId: $v0) "
        "{ userErrors { field message } } }",
        "variables": {"v0": customer["admin_graphql_api_id"]},
    }
