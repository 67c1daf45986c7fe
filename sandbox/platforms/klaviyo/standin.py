"""Klaviyo's manners: the key, the revision header, the media type, the rate limits, and the parts put together."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any, ClassVar

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import Facts, utc_now
from sandbox.platforms.klaviyo.bulk import Bulk
from sandbox.platforms.klaviyo.jobs import Jobs
from sandbox.platforms.klaviyo.jsonapi import failure
from sandbox.platforms.klaviyo.limits import Tiers, too_many
from sandbox.platforms.klaviyo.reading import Reading, unsupported_media
from sandbox.platforms.klaviyo.state import State
from sandbox.platforms.klaviyo.webhooks import ACCOUNT_ID, Webhooks
from sandbox.platforms.klaviyo.writing import Writing
from sandbox.standin import StandIn, Way
from sandbox.world import World

NEWEST_REVISION = "2026-10-15"
_ACCOUNT = {
    "type": "account",
    "id": ACCOUNT_ID,
    "attributes": {
        "test_account": True,
        "contact_information": {
            "default_sender_name": "Acme", "default_sender_email": "hello@acme.example",
            "website_url": "https://acme.example", "organization_name": "Acme",
            "street_address": {
                "address1": None, "address2": None, "city": "Oakland", "region": "CA", "country": "US", "zip": "94607"
            },
        },
        "industry": "Retail", "timezone": "Etc/UTC", "preferred_currency": "USD", "public_api_key": ACCOUNT_ID,
        "locale": "en-US",
    },
    "links": {"self": f"https://a.klaviyo.com/api/accounts/{ACCOUNT_ID}/"},
}  # fmt: skip


class Klaviyo(StandIn):
    """One Klaviyo account."""

    name: ClassVar[str] = "klaviyo"
    credentials: ClassVar[dict[str, str]] = {
        "api_key": "pk_sandbox_0123456789abcdef0123456789",
        "webhook_secret": "klaviyo-sandbox-secret-0123456789",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.state = State(self)
        self.jobs = Jobs(self.state)
        self.webhooks = Webhooks(self.state, self.credentials["webhook_secret"])
        self.acts = self.webhooks.acts
        self._tiers = Tiers()
        self._resumed = False

    def seed(self, facts: Facts) -> None:
        """Fill the account."""
        self.state.seed(facts)

    def ways(self) -> list[Way]:
        """All paths; a path that reads and writes stands in `Writing`."""
        reading = Reading(self.state, _ACCOUNT)
        parts = (Writing(self.state, self.jobs, reading), Bulk(self.state, self.jobs), reading, self.webhooks)
        return [way for part in parts for way in part.ways()]

    def settle(self) -> None:
        """Carry out the jobs that are due."""
        if not self._resumed:
            self.jobs.resume()
            self._resumed = True
        self.jobs.settle()

    def admit(self, call: Call) -> Response | None:
        """Key, then revision, then media type, then limits."""
        if call.headers.get("authorization", "") != f"Klaviyo-API-Key {self.credentials['api_key']}":
            if "authorization" not in call.headers:
                title = "Authentication credentials were not provided."
                return failure(401, "not_authenticated", title, "Missing or invalid private key.")
            return failure(401, "authentication_failed", "Incorrect credentials.", "Invalid private key.")
        refusal = _wrong_revision(call) or unsupported_media(call)
        if refusal is None and not self.world.settings.unlimited:
            refusal = self._tiers.refuse(call)
        return refusal

    def finish(self, call: Call, response: Response) -> None:
        """Rate-limit headers, except on a 429, where only Retry-After stands."""
        if response.status_code not in (401, 429) and call.path.startswith("/api/"):
            for name, value in self._tiers.headers(call).items():
                response.headers[name] = value

    def error(self, status: int, call: Call, retry_after: float = 1.0) -> Response:
        """Klaviyo's JSON:API error for a status."""
        if status == 429:
            return too_many(retry_after)
        if status == 404:
            return failure(404, "not_found", "Not found.", f"The path {call.path} does not exist.")
        if status == 405:
            return failure(405, "method_not_allowed", "Method not allowed.", f"Method {call.method!r} not allowed.")
        return failure(status, "error", "Internal server error.", "A server error occurred.")

    def members(self) -> dict[str, list[str]]:
        """Profile ids by list name."""
        found: dict[str, list[str]] = {row["name"]: [] for row in self.state.lists.rows.values()}
        for row in self.state.members.rows.values():
            found[self.state.lists.rows[row["list"]]["name"]].append(row["profile"])
        return {name: sorted(ids) for name, ids in sorted(found.items())}

    def config(self, url: str) -> dict[str, Any]:
        """Where it answers, the revision it speaks, and the property that carries AEvent's registrant id."""
        external = {"aevent:main": "aevent_registrant_id"}
        return {"base_url": url, "revision": NEWEST_REVISION, "external_ids": external}


def _wrong_revision(call: Call) -> Response | None:
    """Missing or malformed: 400. Older than two years: 410 with the opt-out header, else it falls forward."""
    text = call.headers.get("revision", "")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?", text):
        detail = "A valid revision header (YYYY-MM-DD) is required."
        return failure(400, "invalid", "Invalid input.", detail, parameter="revision")
    try:
        revision = date.fromisoformat(text[:10])
    except ValueError:
        return failure(400, "invalid", "Invalid input.", f"Unknown revision {text}.", parameter="revision")
    if revision > date.fromisoformat(NEWEST_REVISION):
        return failure(400, "invalid", "Invalid input.", f"Unknown revision {text}.", parameter="revision")
    retired = revision < utc_now().date() - timedelta(days=731)
    if retired and call.headers.get("x-klaviyo-revision-fall-forward-opt-out") == "1":
        return failure(410, "gone", "Gone.", f"Revision {text} is retired.", parameter="revision")
    return None
