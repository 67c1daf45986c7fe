"""HubSpot's manners: tokens and their scopes, the developer's key, rate limits, and the parts put together."""

from __future__ import annotations

from typing import Any, ClassVar

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import Facts
from sandbox.platforms.hubspot.acts import Acts
from sandbox.platforms.hubspot.batches import Batches
from sandbox.platforms.hubspot.contacts import Contacts
from sandbox.platforms.hubspot.events import Events
from sandbox.platforms.hubspot.limits import Limits, too_many
from sandbox.platforms.hubspot.lists import Lists
from sandbox.platforms.hubspot.manners import PATHS, failure
from sandbox.platforms.hubspot.preferences import Preferences
from sandbox.platforms.hubspot.properties import Properties
from sandbox.platforms.hubspot.search import Search
from sandbox.platforms.hubspot.state import State
from sandbox.platforms.hubspot.webhooks import APP_ID, Webhooks
from sandbox.standin import StandIn, Way
from sandbox.world import World

API_VERSION = "2026-09"
# A second token of the account, of an app that may only read contacts.
READ_ONLY_TOKEN = "pat-na1-sandbox-read-only-0123456789"  # noqa: S105 - no secret, the sandbox knows no real ones
_SCOPES = {
    "lists": "crm.lists.write", "properties": "crm.schemas.contacts.write",
    "preferences": "communication_preferences.statuses.batch.read",
    "preferences_by_email": "communication_preferences.read",
    "events": "business-intelligence",
}  # fmt: skip


class HubSpot(StandIn):
    """One HubSpot account with one app."""

    name: ClassVar[str] = "hubspot"
    credentials: ClassVar[dict[str, str]] = {
        "access_token": "pat-na1-sandbox-0123456789abcdef01234567",
        "client_secret": "5a5a5a5a-0123-4567-89ab-cdef01234567",
        "developer_api_key": "5b5b5b5b-0123-4567-89ab-cdef01234567",
    }
    webhook_retries: ClassVar[int] = 10

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.state = State(self)
        self.contacts = Contacts(self.state)
        self.search = Search(self.state)
        self.webhooks = Webhooks(self.state, self.credentials["client_secret"])
        self.acts = Acts(self.state, self.webhooks).acts
        self._limits = Limits()

    def seed(self, facts: Facts) -> None:
        """Fill the account."""
        self.state.seed(facts)

    def ways(self) -> list[Way]:
        """All paths; those with a fixed word in the place of an id stand before the others."""
        state = self.state
        parts = (self.search, Batches(state, self.contacts), self.contacts, Properties(state), Lists(state))
        more = (Preferences(state), Events(state), self.webhooks)
        return [way for part in (*parts, *more) for way in part.ways()]

    def settle(self) -> None:
        """Let the search index catch up."""
        self.search.settle()

    def admit(self, call: Call) -> Response | None:
        """Token or, for an app's webhooks, the developer's key; then scopes, then limits."""
        if call.path.startswith(tuple(f"{prefix}/" for prefix in PATHS["webhooks"])):
            return None if call.query.get("hapikey") == self.credentials["developer_api_key"] else _stranger()
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in (self.credentials["access_token"], READ_ONLY_TOKEN):
            return _stranger()
        scope = _lacking(call) if token == READ_ONLY_TOKEN else None
        if scope is not None:
            return _forbidden(scope)
        return None if self.world.settings.unlimited else self._limits.refuse(call)

    def finish(self, call: Call, response: Response) -> None:
        """Rate-limit headers."""
        if response.status_code != 401:
            for name, value in self._limits.headers(call).items():
                response.headers[name] = value

    def error(self, status: int, call: Call, retry_after: float = 1.0) -> Response:
        """HubSpot's error document; a 429 names the policy and no time to wait."""
        if status == 429:
            return too_many("SECONDLY" if call.path.endswith("/search") else "TEN_SECONDLY_ROLLING")
        if status == 404:
            return failure(404, "OBJECT_NOT_FOUND", "resource not found")
        if status == 405:
            return failure(405, "METHOD_NOT_ALLOWED", f"The method {call.method} is not allowed here")
        return failure(status, "INTERNAL_ERROR", "internal error")

    def members(self) -> dict[str, list[str]]:
        """Contact ids by list name (lists that fill themselves take none), and by own checkbox where one is ticked."""
        lists = self.state.lists.rows.values()
        found: dict[str, list[str]] = {row["name"]: [] for row in lists if row["processingType"] != "DYNAMIC"}
        for row in self.state.members.rows.values():
            found[self.state.lists.rows[row["list"]]["name"]].append(row["contact"])
        for name, ids in self.state.ticked().items():
            found.setdefault(name, []).extend(ids)
        return {name: sorted(ids) for name, ids in sorted(found.items())}

    def config(self, url: str) -> dict[str, Any]:
        """Where it answers, the version it speaks, the app, and the property that carries AEvent's registrant id."""
        external = {"aevent:main": "aevent_registrant_id"}
        return {"base_url": url, "api_version": API_VERSION, "app_id": str(APP_ID), "external_ids": external}


def _stranger() -> Response:
    text = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
    return failure(401, "INVALID_AUTHENTICATION", text)


def _lacking(call: Call) -> str | None:
    """The scope that an app lacks which may only read contacts."""
    for kind, scope in _SCOPES.items():
        if call.path.startswith(PATHS[kind]):
            return scope
    reading = call.method == "GET" or call.path.endswith(("/search", "/batch/read"))
    return None if reading else "crm.objects.contacts.write"


def _forbidden(scope: str) -> Response:
    link = "https://developers.hubspot.com/scopes"
    text = f"This app hasn't been granted all required scopes to make this call. Read more about them at {link}."
    missing = {"message": "One or more of the following scopes are required.", "context": {"requiredScopes": [scope]}}
    return failure(403, "MISSING_SCOPES", text, errors=[missing], links={"scopes": link})
