"""Shopify's manners: the token, versions that fall forward, the call limit, and the parts put together."""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import Facts
from sandbox.limits import LeakyBucket
from sandbox.platforms.shopify.acts import Acts, shop_row
from sandbox.platforms.shopify.graphql import GraphQL
from sandbox.platforms.shopify.rest import BASE, Rest
from sandbox.platforms.shopify.state import State, split_tags
from sandbox.standin import StandIn, Way, json_response
from sandbox.world import World

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")
DOMAIN = "acme-main.myshopify.com"
_BUCKET, _LEAK = 40, 2
_TOO_MANY = "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service."


class Shopify(StandIn):
    """One shop, on the basic plan unless the setting `shopify_plan` says advanced or plus."""

    name: ClassVar[str] = "shopify"
    credentials: ClassVar[dict[str, str]] = {
        "access_token": "shpat_sandbox_0123456789abcdef01234567",
        "client_secret": "shpss_sandbox_0123456789abcdef01234567",
    }
    webhook_retries: ClassVar[int] = 8

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.state = State(self)
        self._shop = shop_row(DOMAIN, world.facts.as_of)
        self._bucket = LeakyBucket(_BUCKET, _LEAK)
        self._graphql = GraphQL(self.state, self._shop)
        self.acts = Acts(self.state, self.credentials["client_secret"], DOMAIN, VERSIONS[-1]).acts
        self._indexed = False

    def seed(self, facts: Facts) -> None:
        """Fill the shop."""
        self.state.seed(facts)

    def ways(self) -> list[Way]:
        """REST and GraphQL."""
        graphql = Way(BASE + "/graphql.json", POST=self._graphql.run)
        return [graphql, *Rest(self.state, self._shop).ways()]

    def settle(self) -> None:
        """Find orders that an earlier life of the sandbox took."""
        if not self._indexed:
            self.state.index_orders()
            self._indexed = True

    def admit(self, call: Call) -> Response | None:
        """Token, then the bucket of REST calls (GraphQL counts points instead)."""
        if call.headers.get("x-shopify-access-token") != self.credentials["access_token"]:
            text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return json_response({"errors": text}, 401)
        if call.path.endswith("/graphql.json") or self.world.settings.unlimited:
            return None
        return self.error(429, call, 2.0) if self._bucket.pour(1) else None

    def finish(self, call: Call, response: Response) -> None:
        """The version that answered, and for REST how full the bucket is."""
        asked = re.match(r"/admin/api/(\d{4}-\d{2})/", call.path)
        if asked:
            known = asked.group(1) if asked.group(1) in VERSIONS else VERSIONS[0]
            response.headers["X-Shopify-API-Version"] = known if asked.group(1) < VERSIONS[-1] else VERSIONS[-1]
        if not call.path.endswith("/graphql.json") and response.status_code != 401:
            level = math.ceil(self._bucket.drain())
            response.headers["X-Shopify-Shop-Api-Call-Limit"] = f"{max(1, level)}/{_BUCKET}"

    def error(self, status: int, call: Call, retry_after: float = 1.0) -> Response:
        """REST errors by status; GraphQL is throttled with HTTP 200."""
        if status == 429 and call.path.endswith("/graphql.json"):
            return self._graphql.throttled(1)
        texts = {404: "Not Found", 405: "Not Acceptable", 429: _TOO_MANY}
        text = texts.get(status, "Internal Server Error")
        response = json_response({"errors": text}, 406 if status == 405 else status)
        if status == 429:
            response.headers["Retry-After"] = f"{retry_after:.1f}"
        return response

    def abandoned(self, target: str) -> bool:
        """A subscription made by API is deleted after eight failures in a row."""
        gone = [row_id for row_id, row in self.state.webhooks.rows.items() if row["address"] == target]
        for row_id in gone:
            self.state.webhooks.drop(row_id)
        return bool(gone)

    def members(self) -> dict[str, list[str]]:
        """Customer ids by tag."""
        found: dict[str, list[str]] = {}
        for row_id, row in self.state.customers.rows.items():
            for tag in split_tags(row["tags"]) if row["tags"] else ():
                found.setdefault(tag, []).append(row_id)
        return {tag: sorted(ids) for tag, ids in sorted(found.items())}

    def config(self, url: str) -> dict[str, Any]:
        """Where it answers (without /admin/api/VERSION), its domain and version, and who carries AEvent's id."""
        external = {"aevent:main": "facts.aevent_registrant_id"}
        return {"base_url": url, "shop_domain": DOMAIN, "api_version": VERSIONS[-1], "external_ids": external}
