"""Klaviyo's paths of asynchronous jobs: bulk import, suppression, subscription, unsubscription, erasure."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import valid_email, valid_phone
from sandbox.platforms.klaviyo import render
from sandbox.platforms.klaviyo.jobs import Jobs
from sandbox.platforms.klaviyo.jsonapi import body_data, document, failure, invalid, not_found, page_size
from sandbox.platforms.klaviyo.state import State
from sandbox.standin import RefusalError, Way
from sandbox.store import Row

_MEBIBYTE = 1024 * 1024


class Bulk:
    """The handlers, over one state and its jobs."""

    def __init__(self, state: State, jobs: Jobs) -> None:
        self.state, self.jobs = state, jobs

    def ways(self) -> list[Way]:
        """The paths."""
        suppressing, lifting = "profile-suppression-bulk-create-job", "profile-suppression-bulk-delete-job"
        imported, one = "profile-bulk-import-job", self._one_job
        return [
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
        ]

    def bulk_import(self, call: Call) -> Response:
        """POST /api/profile-bulk-import-jobs: up to 10,000 profiles and 5 MB."""
        data = body_data(call, "profile-bulk-import-job")
        profiles = _items(data, 10_000)
        if len(call.body) > 5 * _MEBIBYTE:
            detail = "The payload is larger than 5 MB."
            raise RefusalError(failure(413, "payload_too_large", "Payload too large.", detail))
        named = ((data.get("relationships") or {}).get("lists") or {}).get("data") or []
        lists = [known_list(self.state, item["id"]) for item in named]
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
        named = {name: attributes.get(name) for name in ("email", "phone_number")} | {"id": profile.get("id")}
        given = {name: value for name, value in named.items() if value}
        if len(given) != 1:
            detail = "Exactly one of id, email and phone_number must be given."
            raise invalid(detail, pointer="/data/attributes/profile")
        self.jobs.accept("data-privacy-deletion-job", given, 1)
        return Response(status_code=202)

    def _change_consent(self, call: Call, kind: str, most: int) -> Response:
        data = body_data(call, kind)
        people = [{"id": item.get("id"), **(item.get("attributes") or {})} for item in _items(data, most)]
        where = "/data/attributes/profiles/data/attributes"
        for person in people:
            if not person.get("subscriptions"):
                raise invalid("'subscriptions' is a required field.", pointer=where)
            known = person["id"] is None or person["id"] in self.state.profiles.rows
            key = person["id"] or valid_email(person.get("email")) or valid_phone(person.get("phone_number"))
            if not known or not key:
                raise invalid("Invalid profile identifier.", pointer=where)
        self.jobs.accept(kind, {"profiles": people, "list": self._related_list(data)}, len(people))
        return Response(status_code=202)

    def _related_list(self, data: Row) -> str | None:
        related = ((data.get("relationships") or {}).get("list") or {}).get("data")
        return known_list(self.state, related["id"]) if related else None

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


def known_list(state: State, list_id: str) -> str:
    """The id itself; 404 when there is no such list."""
    if list_id not in state.lists.rows:
        raise not_found("list", list_id)
    return list_id


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
