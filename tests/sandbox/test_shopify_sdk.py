"""Shopify's stand-in driven by the official SDK `ShopifyAPI`.

The SDK builds the address from a shop's sub-domain, which loopback has not; its site is therefore set to the port.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
import shopify
from pyactiveresource.connection import ClientError, ResourceInvalid, ResourceNotFound, UnauthorizedAccess
from shopify.resources.graphql import GraphQL

from sandbox import Sandbox


@pytest.fixture
def sdk(sandbox: Sandbox) -> Iterator[None]:
    shopify.ShopifyResource.site = f"{sandbox.urls['shopify']}/admin/api/2026-10"
    shopify.ShopifyResource.headers["X-Shopify-Access-Token"] = sandbox.credentials["shopify"]["access_token"]
    yield
    shopify.ShopifyResource.clear_session()


def run(document: str, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GraphQL().execute(document, variables))
    return found


def customer_of(sandbox: Sandbox, story: str) -> str:
    found: str = sandbox.people(story)[0]["records"]["shopify"][0]
    return found


def ids_in_pages(kind: Any, **given: Any) -> list[int]:
    page = kind.find(**given)
    found = [row.id for row in page]
    for _ in range(100):
        if not page.has_next_page():
            return found
        page = page.next_page()
        found += [row.id for row in page]
    raise AssertionError("the pages never end")


pytestmark = pytest.mark.usefixtures("sdk")


def test_all_customers_come_in_pages(sandbox: Sandbox) -> None:
    found = ids_in_pages(shopify.Customer, limit=7)
    known = {int(row) for person in sandbox.people() for row in person["records"].get("shopify", [])}
    assert set(found) == known
    assert len(found) == len(known) == shopify.Customer.count()


def test_pages_go_back_as_well() -> None:
    first = shopify.Customer.find(limit=5)
    second = first.next_page()
    assert [row.id for row in second.previous_page()] == [row.id for row in first]
    assert not first.has_previous_page()


def test_orders_are_open_ones_unless_any_is_asked(sandbox: Sandbox) -> None:
    cancelled = shopify.Order.find(status="cancelled", limit=250)
    assert cancelled
    every = ids_in_pages(shopify.Order, limit=40, status="any")
    opened = ids_in_pages(shopify.Order, limit=40)
    assert set(opened) == set(every) - {order.id for order in cancelled}
    assert all(order.cancelled_at for order in cancelled)


def test_a_filter_goes_with_the_pages() -> None:
    """The link of the next page keeps status and times, though only page_info and limit may be sent with it."""
    since = "2026-06-01T00:00:00Z"
    found = ids_in_pages(shopify.Order, limit=3, status="any", updated_at_min=since)
    whole = [order.id for order in shopify.Order.find(limit=250, status="any", updated_at_min=since)]
    assert found == whole
    assert 3 < len(whole) < len(shopify.Order.find(limit=250, status="any"))


def test_times_are_compared_across_offsets(sandbox: Sandbox) -> None:
    row = shopify.Customer.find(customer_of(sandbox, "good_buyer"))
    assert row.updated_at.endswith("-05:00")
    same_in_utc = shopify.Customer.find(updated_at_min=row.updated_at, updated_at_max=row.updated_at, limit=250)
    assert row.id in [found.id for found in same_in_utc]


def test_customers_are_searched_by_field(sandbox: Sandbox) -> None:
    person = sandbox.people("good_buyer")[0]
    found = shopify.Customer.search(query=f"email:{person['emails'][0]}")
    assert [str(row.id) for row in found] == person["records"]["shopify"]


def test_the_birth_date_is_a_metafield(sandbox: Sandbox) -> None:
    fields = shopify.Customer.find(customer_of(sandbox, "vaper_minor")).metafields()
    assert [(field.namespace, field.key, field.type) for field in fields] == [("facts", "birth_date", "date")]


def test_saving_a_customer_replaces_all_tags(sandbox: Sandbox) -> None:
    row = shopify.Customer.find(customer_of(sandbox, "lapsed_sms"))
    row.tags = "b, a, B"
    assert row.save()
    assert shopify.Customer.find(row.id).tags == "a, B"


def test_an_address_of_another_customer_is_refused(sandbox: Sandbox) -> None:
    row = shopify.Customer.find(customer_of(sandbox, "lapsed_sms"))
    row.email = sandbox.people("good_buyer")[0]["emails"][0]
    assert not row.save()
    assert row.errors.full_messages() == ["email has already been taken"]


def test_a_customer_with_orders_is_not_deleted(sandbox: Sandbox) -> None:
    with pytest.raises(ResourceInvalid):
        shopify.Customer.find(customer_of(sandbox, "good_buyer")).destroy()


def test_webhooks_are_made_once_and_deleted() -> None:
    made = shopify.Webhook.create({"topic": "orders/create", "address": "https://shop.example/hook", "format": "json"})
    again = shopify.Webhook.create({"topic": "orders/create", "address": "https://shop.example/hook", "format": "json"})
    wrong = shopify.Webhook.create({"topic": "orders/eaten", "address": "https://shop.example/hook", "format": "json"})
    assert again.errors.full_messages()
    assert wrong.errors.full_messages()
    assert [hook.id for hook in shopify.Webhook.find()] == [made.id]
    made.destroy()
    assert list(shopify.Webhook.find()) == []


CREATE = """mutation ($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $hook) {
    webhookSubscription { id topic uri format createdAt }
    userErrors { field message }
  }
}"""
LIST = """query ($after: String, $topics: [WebhookSubscriptionTopic!], $uri: String) {
  webhookSubscriptions(first: 1, after: $after, topics: $topics, uri: $uri) {
    nodes { id topic uri }
    pageInfo { hasNextPage endCursor }
  }
}"""


def test_a_subscription_made_by_graphql_is_the_one_that_rest_shows() -> None:
    hook = {"uri": "https://shop.example/graphql"}
    made = run(CREATE, topic="CUSTOMER_TAGS_ADDED", hook=hook)["data"]["webhookSubscriptionCreate"]
    again = run(CREATE, topic="CUSTOMER_TAGS_ADDED", hook=hook)["data"]["webhookSubscriptionCreate"]
    other = run(CREATE, topic="ORDERS_CREATE", hook=hook)["data"]["webhookSubscriptionCreate"]
    assert made["userErrors"] == other["userErrors"] == []
    assert "already been taken" in again["userErrors"][0]["message"]
    assert [(row.topic, row.address) for row in shopify.Webhook.find()] == [
        ("customer.tags_added", hook["uri"]),
        ("orders/create", hook["uri"]),
    ]
    first = run(LIST)["data"]["webhookSubscriptions"]
    second = run(LIST, after=first["pageInfo"]["endCursor"])["data"]["webhookSubscriptions"]
    assert [first["nodes"][0]["id"], second["nodes"][0]["id"]] == [
        made["webhookSubscription"]["id"],
        other["webhookSubscription"]["id"],
    ]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    found = run(LIST, topics=["ORDERS_CREATE"], uri=hook["uri"])["data"]["webhookSubscriptions"]
    assert [node["topic"] for node in found["nodes"]] == ["ORDERS_CREATE"]
    drop = "mutation ($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId } }"
    for subscription in (made, other):
        assert run(drop, id=subscription["webhookSubscription"]["id"])["data"]["webhookSubscriptionDelete"]
    assert list(shopify.Webhook.find()) == []


@pytest.mark.parametrize("topic", ["CUSTOMERS_REDACT", "SHOP_REDACT", "CUSTOMERS_DATA_REQUEST"])
def test_compliance_topics_are_not_subscribed_by_api(topic: str) -> None:
    assert "errors" in run(CREATE, topic=topic, hook={"uri": "https://shop.example/hook"})


def test_the_shop_its_scopes_and_the_call_limit_are_shown() -> None:
    assert shopify.Shop.current().currency == "USD"
    assert "write_customers" in [scope.handle for scope in shopify.AccessScope.find()]
    shopify.Shop.current()
    assert shopify.Shop.connection.response.headers["x-shopify-shop-api-call-limit"].endswith("/40")


def test_unknown_ids_and_tokens_are_refused() -> None:
    with pytest.raises(ResourceNotFound):
        shopify.Customer.find(1)
    shopify.ShopifyResource.headers["X-Shopify-Access-Token"] = "wrong"
    with pytest.raises(UnauthorizedAccess):
        shopify.Shop.current()


def test_filters_beside_page_info_are_refused() -> None:
    link = shopify.Customer.find(limit=5).next_page_url
    with pytest.raises(ClientError) as refused:
        shopify.Customer.find(from_=f"{link}&updated_at_min=2026-01-01T00:00:00Z")
    assert refused.value.code == 400


CUSTOMERS = """
query Pull($first: Int!, $after: String, $query: String) {
  customers(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes {
      id tags updatedAt
      defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt }
      defaultPhoneNumber { phoneNumber marketingState }
      metafield(namespace: "facts", key: "birth_date") { value }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""


def test_graphql_pages_through_all_customers_in_order() -> None:
    found: list[dict[str, Any]] = []
    after = None
    for _ in range(100):
        page = run(CUSTOMERS, first=8, after=after)["data"]["customers"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len({row["id"] for row in found}) == len(found) == shopify.Customer.count()
    assert [row["updatedAt"] for row in found] == sorted(row["updatedAt"] for row in found)
    assert any(row["metafield"] for row in found)
    assert {"SUBSCRIBED", "UNSUBSCRIBED"} <= {(row["defaultEmailAddress"] or {}).get("marketingState") for row in found}


def test_graphql_filters_by_time() -> None:
    rows = run(CUSTOMERS, first=250, query="updated_at:>'2026-10-01T00:00:00Z'")["data"]["customers"]["nodes"]
    everyone = run(CUSTOMERS, first=250)["data"]["customers"]["nodes"]
    expected = [row["id"] for row in everyone if row["updatedAt"] > "2026-10-01T00:00:00Z"]
    assert [row["id"] for row in rows] == expected
    assert 0 < len(rows) < len(everyone)


TAGS = 'mutation($a: ID!, $b: ID!) { x: tagsAdd(id: $a, tags: ["aud-x"]) { node { id } userErrors { message } } '
TAGS += 'y: tagsAdd(id: $b, tags: ["aud-x"]) { node { id } userErrors { message } } }'


def test_aliased_tag_mutations_keep_other_tags_and_fail_alone(sandbox: Sandbox) -> None:
    row_id = customer_of(sandbox, "good_buyer")
    before = set(filter(None, shopify.Customer.find(row_id).tags.split(", ")))
    told = run(TAGS, a=f"gid://shopify/Customer/{row_id}", b="gid://shopify/Customer/1")
    assert told["data"]["x"]["userErrors"] == []
    assert told["data"]["y"]["userErrors"] == [{"message": "Customer does not exist"}]
    assert told["extensions"]["cost"]["actualQueryCost"] == 20
    assert set(shopify.Customer.find(row_id).tags.split(", ")) == before | {"aud-x"}
    assert sandbox.members()["shopify"]["aud-x"] == {row_id}
    run('mutation($a: ID!) { tagsRemove(id: $a, tags: ["AUD-X", "absent"]) { userErrors { message } } }',
        a=f"gid://shopify/Customer/{row_id}")  # fmt: skip
    assert set(filter(None, shopify.Customer.find(row_id).tags.split(", "))) == before


CONSENT = """
mutation($id: ID!, $state: CustomerEmailMarketingState!) {
  customerEmailMarketingConsentUpdate(input: {customerId: $id, emailMarketingConsent: {marketingState: $state}}) {
    customer { defaultEmailAddress { marketingState } } userErrors { field message code }
  }
}
"""


def test_consent_can_be_withdrawn_and_only_real_states_set(sandbox: Sandbox) -> None:
    node = f"gid://shopify/Customer/{customer_of(sandbox, 'lapsed_sms')}"
    told = run(CONSENT, id=node, state="UNSUBSCRIBED")["data"]["customerEmailMarketingConsentUpdate"]
    assert told["customer"]["defaultEmailAddress"]["marketingState"] == "UNSUBSCRIBED"
    refused = run(CONSENT, id=node, state="NOT_SUBSCRIBED")["data"]["customerEmailMarketingConsentUpdate"]
    assert refused["userErrors"][0]["code"] == "INVALID"
    run(CONSENT, id=node, state="SUBSCRIBED")
    assert sandbox.calls(note="grant")[-1]["path"].endswith("/graphql.json")


def test_an_erasure_blanks_the_customer_and_keeps_orders(sandbox: Sandbox) -> None:
    row_id = customer_of(sandbox, "cancelled")
    orders = len(shopify.Order.find(customer_id=row_id, status="any"))
    run("mutation($id: ID!) { customerRequestDataErasure(customerId: $id) { userErrors { message } } }",
        id=f"gid://shopify/Customer/{row_id}")  # fmt: skip
    row = shopify.Customer.find(row_id)
    assert (row.email, row.first_name, row.email_marketing_consent.state) == (None, None, "redacted")
    kept = shopify.Order.find(customer_id=row_id, status="any")
    assert len(kept) == orders > 0
    assert {order.email for order in kept} == {None}


@pytest.mark.parametrize(
    "query",
    [
        "{ customers(first: 1) { nodes { shoeSize } } }",
        "{ customers(first: 1) { nodes } }",
        "mutation { tagsAdd(id: 5) { userErrors { message } } }",
        "{ customers(first: 1) { nodes { id } }",
    ],
)
def test_wrong_queries_are_answered_with_errors_and_200(query: str) -> None:
    told = run(query)
    assert told["errors"]
    assert "data" not in told


def test_a_query_beyond_the_largest_cost_is_refused(sandbox: Sandbox) -> None:
    ids = [f"gid://shopify/Customer/{number}" for number in range(600)]
    told = run("query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { id defaultAddress { zip } "
               'metafield(namespace: "facts", key: "birth_date") { value } } } }', ids=ids)  # fmt: skip
    assert told["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_a_body_without_a_query_is_a_400() -> None:
    with pytest.raises(HTTPError) as refused:
        GraphQL().execute(None)
    assert refused.value.code == 400
