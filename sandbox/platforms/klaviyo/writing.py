"""Klaviyo's paths that write: profiles, list membership, events, bulk jobs, webhooks."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import utc_now, valid_email, valid_phone
from sandbox.platforms.klaviyo import render
from sandbox.platforms.klaviyo.jobs import Jobs
from sandbox.platforms.klaviyo.jsonapi import body_data, document, failure, invalid, not_found, page_size, sortable, stamp
from sandbox.platforms.klaviyo.reading import Reading
from sandbox.platforms.klaviyo.state import State
from sandbox.standin import Refused, Way
from sandbox.store import Row

_MEBIBYTE = 1024 * 1024


class Writing:
    """The handlers, over one state; some paths share their name with a reading one."""

    def __init__(self, state: State, jobs: Jobs, reading: Reading) -> None:
        self.state, self.jobs, self.reading = state, jobs, reading

    def ways(self) -> list[Way]:
        """The paths."""
        suppressing, lifting = "profile-suppression-bulk-create-job", "profile-suppression-bulk-delete-job"
        imported, one = "profile-bulk-import-job", self._one_job
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
            Way("/api/profile-bulk-import-jobs", POST=self.bulk_import),
            Way("/api/profile-bulk-import-jobs/{id}", GET=partial(one, imported)),
            Way("/api/profile-bulk-import-jobs/{id}/import-errors", GET=self.import_errors),
            Way("/api/profile-bulk-import-jobs/{id}/profiles", GET=self.imported_profiles),
            Way("/api/profile-suppression-bulk-create-jobs", POST=partial(self.bulk_suppress, suppressing)),
            Way("/api/profile-suppression-bulk-create-jobs/{id}", GET=partial(one, suppressing)),
            Way("/api/profile-suppression-bulk-delete-jobs", POST=partial(self.bulk_suppress, lifting)),
            Way("/api/profile-suppression-bulk-delete-jobs/{id}", GET=partial(one, lifting)),
            Way("/api/profile-subscription-bulk-delete-jobs", POST=self.bulk_unsubscribe),
            Way("/api/profile-subscription-bulk-create-jobs", POST=self.bulk_subscribe),
            Way("/api/data-privacy-deletion-jobs", POST=self.erase),
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

    def bulk_import(self, call: Call) -> Response:
        """POST /api/profile-bulk-import-jobs: up to 10,000 profiles and 5 MB."""
        data = body_data(call, "profile-bulk-import-job")
        profiles = _items(data, 10_000)
        if len(call.body) > 5 * _MEBIBYTE:
            detail = "The payload is larger than 5 MB."
            raise Refused(failure(413, "payload_too_large", "Payload too large.", detail))
        named = ((data.get("relationships") or {}).get("lists") or {}).get("data") or []
        lists = [self._known_list(item["id"]) for item in named]
        row_id = self.jobs.accept("profile-bulk-import-job", {"profiles": profiles, "lists": lists}, len(profiles))
        return self._job(call, "profile-bulk-import-job", row_id, 202)

    def import_errors(self, call: Call) -> Response:
        """GET /api/profile-bulk-import-jobs/{id}/import-errors."""
        errors, links = _slice(call, self._found_job(call)["errors"])
        return document(errors, links=links)

    def imported_profiles(self, call: Call) -> Response:
        """GET /api/profile-bulk-import-jobs/{id}/profiles."""
        ids, links = _slice(call, self._found_job(call)["done"])
        return document([render.profile(call, self.state, row_id) for row_id in ids], links=links)

    def bulk_suppress(self, kind: str, call: Call) -> Response:
        """POST /api/profile-suppression-bulk-{create,delete}-jobs: up to 100 addresses, or one whole list."""
        data = body_data(call, kind)
        if kind.endswith("delete-job"):
            call.notes.append("unsuppress")
        payload: Row = {"list": self._related_list(data), "emails": []}
        if not payload["list"]:
            payload["emails"] = [(item.get("attributes") or {}).get("email") for item in _items(data, 100)]
            if not all(valid_email(email) for email in payload["emails"]):
                raise invalid("Invalid email address", pointer="/data/attributes/profiles/data/attributes/email")
        row_id = self.jobs.accept(kind, payload, len(payload["emails"]))
        return self._job(call, kind, row_id, 202)

    def bulk_unsubscribe(self, call: Call) -> Response:
        """POST /api/profile-subscription-bulk-delete-jobs: up to 100; there is no job to ask for."""
        return self._change_consent(call, "profile-subscription-bulk-delete-job", 100)

    def bulk_subscribe(self, call: Call) -> Response:
        """POST /api/profile-subscription-bulk-create-jobs: lifts suppressions, so the log marks it "grant"."""
        call.notes.append("grant")
        return self._change_consent(call, "profile-subscription-bulk-create-job", 1000)

    def erase(self, call: Call) -> Response:
        """POST /api/data-privacy-deletion-jobs: exactly one identifier."""
        data = body_data(call, "data-privacy-deletion-job")
        profile = ((data.get("attributes") or {}).get("profile") or {}).get("data") or {}
        attributes = profile.get("attributes") or {}
        named = {"id": profile.get("id"), "email": attributes.get("email"), "phone_number": attributes.get("phone_number")}
        given = {name: value for name, value in named.items() if value}
        if len(given) != 1:
            raise invalid("Exactly one of id, email and phone_number must be given.", pointer="/data/attributes/profile")
        self.jobs.accept("data-privacy-deletion-job", given, 1)
        return Response(status_code=202)

    def _upserted(self, attributes: Row, row_id: str | None, meta: Row | None) -> tuple[str, bool]:
        found, created = self.jobs.upsert(attributes, row_id, meta)
        if found is None:
            field = "phone_number" if valid_email(attributes.get("email")) else "email"
            raise invalid(f"Invalid {field}.", pointer=f"/data/attributes/{field}")
        return found, created

    def _change_consent(self, call: Call, kind: str, most: int) -> Response:
        data = body_data(call, kind)
        people = [{"id": item.get("id"), **(item.get("attributes") or {})} for item in _items(data, most)]
        for person in people:
            if not person.get("subscriptions"):
                raise invalid("'subscriptions' is a required field.", pointer="/data/attributes/profiles/data/attributes")
            known = person["id"] is None or person["id"] in self.state.profiles.rows
            if not known or not (person["id"] or valid_email(person.get("email")) or valid_phone(person.get("phone_number"))):
                raise invalid("Invalid profile identifier.", pointer="/data/attributes/profiles/data/attributes")
        self.jobs.accept(kind, {"profiles": people, "list": self._related_list(data)}, len(people))
        return Response(status_code=202)

    def _member_ids(self, call: Call, must_exist: bool) -> list[str]:
        self._known_list(call.path_params["id"])
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

    def _known_list(self, list_id: str) -> str:
        if list_id not in self.state.lists.rows:
            raise not_found("list", list_id)
        return list_id

    def _related_list(self, data: Row) -> str | None:
        related = ((data.get("relationships") or {}).get("list") or {}).get("data")
        return self._known_list(related["id"]) if related else None

    def _found_job(self, call: Call) -> Row:
        row = self.jobs.table.rows.get(call.path_params["id"])
        if row is None:
            raise not_found("job", call.path_params["id"])
        return row

    def _one_job(self, kind: str, call: Call) -> Response:
        self._found_job(call)
        return self._job(call, kind, call.path_params["id"], 200)

    def _job(self, call: Call, kind: str, row_id: str, status: int) -> Response:
        return document(render.job(call, kind, row_id, self.jobs.table.rows[row_id]), status)


def _items(data: Row, most: int) -> list[Row]:
    try:
        items = data["attributes"]["profiles"]["data"]
    except (KeyError, TypeError):
        raise invalid("'profiles' is a required field.", pointer="/data/attributes/profiles") from None
    if not isinstance(items, list) or not 1 <= len(items) <= most:
        raise invalid(f"Between 1 and {most} profiles are allowed.", pointer="/data/attributes/profiles/data")
    return items


def _slice(call: Call, rows: list[Any]) -> tuple[list[Any], dict[str, str | None]]:
    """One page of a job's rows; the cursor is the place in the list."""
    size, cursor = page_size(call, 20, 100), call.query.get("page[cursor]", "0")
    if not cursor.isdigit():
        raise invalid("Invalid page cursor.", parameter="page[cursor]")
    end = int(cursor) + size
    base = f"{render.root(call)}{call.path}"
    following = f"{base}?{urlencode({'page[size]': size, 'page[cursor]': end})}" if end < len(rows) else None
    return rows[int(cursor) : end], {"self": base, "next": following, "prev": None}
