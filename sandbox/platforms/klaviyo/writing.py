"""Klaviyo's paths that write at once: profiles, lists, membership, events."""

from __future__ import annotations

import uuid
from datetime import datetime

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import utc_now, valid_email
from sandbox.platforms.klaviyo import render
from sandbox.platforms.klaviyo.bulk import known_list
from sandbox.platforms.klaviyo.jobs import Jobs
from sandbox.platforms.klaviyo.jsonapi import (
    body_data,
    document,
    failure,
    invalid,
    not_found,
    sortable,
    stamp,
)
from sandbox.platforms.klaviyo.reading import Reading
from sandbox.platforms.klaviyo.state import State
from sandbox.standin import Way
from sandbox.store import Row


class Writing:
    """The handlers, over one state; some paths share their name with a reading one."""

    def __init__(self, state: State, jobs: Jobs, reading: Reading) -> None:
        self.state, self.jobs, self.reading = state, jobs, reading

    def ways(self) -> list[Way]:
        """The paths."""
        return [
            Way("/api/profiles", GET=self.reading.profiles, POST=self.create_profile),
            Way("/api/profiles/{id}", GET=self.reading.one_profile, PATCH=self.change_profile),
            Way("/api/profile-import", POST=self.import_profile),
            Way("/api/lists", GET=self.reading.lists, POST=self.create_list),
            Way(
                "/api/lists/{id}/relationships/profiles", GET=self.reading.list_profile_ids, POST=self.add_members,
                DELETE=self.remove_members,
            ),
            Way("/api/events", GET=self.reading.events, POST=self.create_event),
        ]  # fmt: skip

    def create_profile(self, call: Call) -> Response:
        """POST /api/profiles: 409 when the address is taken."""
        attributes = body_data(call, "profile").get("attributes") or {}
        taken = self.jobs.identify(attributes)
        if taken:
            meta = {"duplicate_profile_id": taken}
            detail = "A profile already exists with one of these identifiers."
            return failure(409, "duplicate_profile", "Conflict.", detail, pointer="/data/attributes", meta=meta)
        row_id, _ = self._upserted(attributes, None, None)
        return document(render.profile(call, self.state, row_id), 201)

    def change_profile(self, call: Call) -> Response:
        """PATCH /api/profiles/{id}."""
        data, row_id = body_data(call, "profile"), call.path_params["id"]
        if row_id not in self.state.profiles.rows:
            raise not_found("profile", row_id)
        self._upserted(data.get("attributes") or {}, row_id, data.get("meta"))
        return document(render.profile(call, self.state, row_id))

    def import_profile(self, call: Call) -> Response:
        """POST /api/profile-import: 201 for a new profile, 200 for a known one."""
        data = body_data(call, "profile")
        row_id, created = self._upserted(data.get("attributes") or {}, data.get("id"), data.get("meta"))
        return document(render.profile(call, self.state, row_id), 201 if created else 200)

    def create_list(self, call: Call) -> Response:
        """POST /api/lists."""
        name = (body_data(call, "list").get("attributes") or {}).get("name")
        if not name:
            raise invalid("A list needs a name.", pointer="/data/attributes/name")
        row_id, at = uuid.uuid4().hex[:6], stamp(utc_now())
        self.state.lists.put(row_id, {"name": name, "created": at, "updated": at})
        return document(render.contact_list(call, self.state, row_id), 201)

    def add_members(self, call: Call) -> Response:
        """POST /api/lists/{id}/relationships/profiles: membership only, consent stays as it is."""
        at = stamp(utc_now())
        for profile_id in self._member_ids(call, must_exist=True):
            self.state.join(call.path_params["id"], profile_id, at)
        return Response(status_code=204)

    def remove_members(self, call: Call) -> Response:
        """DELETE /api/lists/{id}/relationships/profiles."""
        for profile_id in self._member_ids(call, must_exist=False):
            self.state.members.drop(f"{call.path_params['id']}:{profile_id}")
        return Response(status_code=204)

    def create_event(self, call: Call) -> Response:
        """POST /api/events: accepted; one event per profile, metric and unique_id (or second)."""
        attributes = body_data(call, "event").get("attributes") or {}
        try:
            metric = attributes["metric"]["data"]["attributes"]["name"]
            profile = attributes["profile"]["data"]
        except (KeyError, TypeError):
            raise invalid("An event needs a metric and a profile.", pointer="/data/attributes") from None
        row_id, _ = self._upserted(profile.get("attributes") or {}, profile.get("id"), None)
        at = datetime.fromisoformat(sortable(attributes["time"])) if attributes.get("time") else utc_now()
        key = str(attributes.get("unique_id") or stamp(at))
        self.state.add_event(metric, row_id, at, attributes.get("properties") or {}, key)
        return Response(status_code=202)

    def _upserted(self, attributes: Row, row_id: str | None, meta: Row | None) -> tuple[str, bool]:
        found, created = self.jobs.upsert(attributes, row_id, meta)
        if found is None:
            field = "phone_number" if valid_email(attributes.get("email")) else "email"
            raise invalid(f"Invalid {field}.", pointer=f"/data/attributes/{field}")
        return found, created

    def _member_ids(self, call: Call, must_exist: bool) -> list[str]:
        known_list(self.state, call.path_params["id"])
        try:
            ids = [str(item["id"]) for item in call.json["data"]]
        except (ValueError, KeyError, TypeError):
            raise invalid("The payload provided in the request is invalid.", pointer="/data") from None
        if len(ids) > 1000:
            raise invalid("At most 1000 profiles per call.", pointer="/data")
        for row_id in ids:
            if must_exist and (row_id not in self.state.profiles.rows or self.state.standin.faults.rejects(row_id)):
                raise not_found("profile", row_id)
        return ids
