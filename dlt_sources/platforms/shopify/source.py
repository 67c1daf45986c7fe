"""Pulls Shopify: customers with consent and metafields, and all orders, by `updated_at`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from dlt.sources.helpers.rest_client.paginators import HeaderLinkPaginator

from dlt_sources.accounts import Account
from dlt_sources.errors import RetryLater
from dlt_sources.http import Session
from dlt_sources.paging import pages as paged
from dlt_sources.platform import Object
from dlt_sources.platforms.shopify import client

DEFAULT_METAFIELDS = "facts.birth_date"
_THROTTLE_TRIES = 20


def pages(account: Account, obj: Object, since: datetime | None) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield pages of REST objects; a customer bears a list `metafields` besides, with the configured ones it has."""
    # Only the first call may carry filters; the Link header's page_info repeats them.
    params: dict[str, str | int] = {"limit": client.PAGE_SIZE}
    if since is not None:
        params["updated_at_min"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    if obj.name == "orders":
        params["status"] = "any"  # the default leaves out closed and cancelled orders
    with client.session(account) as session:
        found = paged(
            session,
            f"{client.REST}/{obj.name}.json",
            object=obj.name,
            selector=obj.name,
            params=params,
            paginator=HeaderLinkPaginator(),
            check=lambda response: client.assert_version(account, response),
        )
        if obj.name != "customers":
            yield from found
            return
        wanted = _metafields(account)
        for page in found:
            yield _with_metafields(session, page, wanted)


def _metafields(account: Account) -> list[tuple[str, str]]:
    names = (account.get("metafields") or DEFAULT_METAFIELDS).split(",")
    pairs = [name.strip().partition(".") for name in dict.fromkeys([*names, *account.external_ids.values()])]
    return [(namespace, key) for namespace, _, key in pairs if namespace and key]


def _with_metafields(
    session: Session, page: Sequence[dict[str, Any]], wanted: Sequence[tuple[str, str]]
) -> Sequence[dict[str, Any]]:
    # REST gives metafields one customer a call; one GraphQL query gives those of a whole page.
    if not wanted or not page:
        return [{**customer, "metafields": []} for customer in page]
    fields = "\n".join(
        f'm{number}: metafield(namespace: "{namespace}", key: "{key}") {{ namespace key type value }}'
        for number, (namespace, key) in enumerate(wanted)
    )
    query = f"query Metafields($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ id {fields} }} }} }}"
    found: dict[str, list[Any]] = {}
    size = max(1, client.QUERY_POINTS // (1 + len(wanted)))
    ids = [f"gid://shopify/Customer/{customer.get('id')}" for customer in page]
    for start in range(0, len(ids), size):
        for node in _patiently(session, query, ids[start : start + size]):
            if isinstance(node, dict):
                found[str(node.get("id"))] = [node[f"m{n}"] for n in range(len(wanted)) if node.get(f"m{n}")]
    return [{**customer, "metafields": found.get(id_, [])} for customer, id_ in zip(page, ids, strict=True)]


def _patiently(session: Session, query: str, ids: Sequence[str]) -> Sequence[Any]:
    """Wait out throttling, which arrives as HTTP 200 and so escapes the session's retries."""
    for _ in range(_THROTTLE_TRIES):
        try:
            nodes: Sequence[Any] = client.graphql(session, query, {"ids": ids}, object="metafields").get("nodes") or ()
        except RetryLater as error:
            if not error.throttled:
                raise
            refused = error
            time.sleep(min(error.retry_after or 1.0, 30.0))
        else:
            return nodes
    raise refused
