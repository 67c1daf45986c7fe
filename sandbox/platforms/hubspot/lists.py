"""HubSpot's paths for lists: find by name, create, read; and for manual ones add, remove and empty."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import utc_now
from sandbox.platforms.hubspot.contacts import CONTACTS
from sandbox.platforms.hubspot.manners import (
    batched,
    body_of,
    failure,
    inputs_of,
    invalid,
    named,
    not_found,
    page,
    page_limit,
    paging,
    stamp,
    ways,
)  # fmt: skip
from sandbox.platforms.hubspot.state import State, new_list
from sandbox.standin import RefusalError, Way, json_response
from sandbox.store import Row

MOST_IDS = 100_000
_WRITABLE = ("MANUAL", "SNAPSHOT")


class Lists:
    """The handlers, over one state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def ways(self) -> list[Way]:
        """The paths; fixed words before list ids. The official SDK writes the last with a slash at its end."""
        return [
            *ways("lists", "/search", POST=self.search),
            *ways("lists", "/object-type-id/{kind}/name/{name}", GET=self.by_name),
            *ways("lists", "/records/memberships/batch/read", POST=self.memberships_of_many),
            *ways("lists", "/records/{kind}/{contact}/memberships", GET=self.memberships_of),
            *ways("lists", "/{id}/memberships/add", PUT=self.add),
            *ways("lists", "/{id}/memberships/remove", PUT=self.remove),
            *ways("lists", "/{id}/memberships/add-and-remove", PUT=self.add_and_remove),
            *ways("lists", "/{id}/memberships/join-order", GET=self.by_joining),
            *ways("lists", "/{id}/memberships", GET=self.by_record, DELETE=self.empty),
            *ways("lists", "/{id}/update-list-name", PUT=self.rename),
            *ways("lists", "/{id}", GET=self.one, DELETE=self.delete),
            *ways("lists", "", GET=self.by_ids, POST=self.create),
            *ways("lists", "/", GET=self.by_ids, POST=self.create),
        ]

    def search(self, call: Call) -> Response:
        """POST search: part of a name, without regard to case; up to 500 a page."""
        body = body_of(call)
        words, kinds = str(body.get("query") or "").casefold(), body.get("processingTypes") or []
        offset, count = int(body.get("offset") or 0), min(500, int(body.get("count") or 20))
        ids = [str(i) for i in body.get("listIds") or []]
        found = [
            i for i, row in sorted(self.state.lists.rows.items(), key=lambda entry: int(entry[0]))
            if words in row["name"].casefold() and row["processingType"] in (kinds or [row["processingType"]])
            and (not ids or i in ids)
        ]  # fmt: skip
        shown = [_searched(self._resource(i)) for i in found[offset : offset + count]]
        end = offset + len(shown)
        return json_response({"offset": end, "hasMore": end < len(found), "lists": shown, "total": len(found)})

    def by_name(self, call: Call) -> Response:
        """GET object-type-id/{kind}/name/{name}: names are unique without regard to case."""
        _contacts_only(call.path_params["kind"])
        row_id = self.state.lists.find("name", call.path_params["name"].casefold())
        if row_id is None:
            raise not_found("List does not exist with name " + call.path_params["name"] + ".")
        return json_response({"list": self._resource(row_id)})

    def by_ids(self, call: Call) -> Response:
        """GET with `listIds`."""
        wanted = named(call, "listIds")
        return json_response({"lists": [self._resource(i) for i in wanted if i in self.state.lists.rows]})

    def one(self, call: Call) -> Response:
        """GET {id}."""
        return json_response({"list": self._resource(self._known(call))})

    def create(self, call: Call) -> Response:
        """POST: a name may be used once."""
        body = body_of(call)
        name, kind = str(body.get("name") or "").strip(), body.get("processingType")
        _contacts_only(body.get("objectTypeId"))
        if not name or kind not in (*_WRITABLE, "DYNAMIC"):
            raise invalid("Invalid input JSON: Some required fields were not set: [name, processingType]")
        self._free(name)
        row_id = str(max(map(int, self.state.lists.rows)) + 1)
        self.state.lists.put(row_id, new_list(name, kind, stamp(utc_now())))
        return json_response({"list": self._resource(row_id)})

    def rename(self, call: Call) -> Response:
        """PUT {id}/update-list-name."""
        row_id, name = self._known(call), call.query.get("listName", "").strip()
        if not name:
            raise invalid("listName is required")
        self._free(name)
        self.state.lists.put(row_id, self.state.lists.rows[row_id] | {"name": name, "updatedAt": stamp(utc_now())})
        return json_response({"updatedList": self._resource(row_id)})

    def delete(self, call: Call) -> Response:
        """DELETE {id}."""
        row_id = self._known(call)
        for key in [key for key, row in self.state.members.rows.items() if row["list"] == row_id]:
            self.state.members.drop(key)
        self.state.lists.drop(row_id)
        return Response(status_code=204)

    def add(self, call: Call) -> Response:
        """PUT memberships/add: a bare array of record ids."""
        return self._changed(call, add=_ids(_array(call)), remove=[])

    def remove(self, call: Call) -> Response:
        """PUT memberships/remove."""
        return self._changed(call, add=[], remove=_ids(_array(call)))

    def add_and_remove(self, call: Call) -> Response:
        """PUT memberships/add-and-remove."""
        body = body_of(call)
        return self._changed(
            call, add=_ids(body.get("recordIdsToAdd", [])), remove=_ids(body.get("recordIdsToRemove", []))
        )

    def empty(self, call: Call) -> Response:
        """DELETE memberships: only lists of fewer than 100,000."""
        row_id = self._writable(call)
        keys = [key for key, row in self.state.members.rows.items() if row["list"] == row_id]
        if len(keys) >= MOST_IDS:
            raise invalid("The list is too large to be emptied in one call")
        for key in keys:
            self.state.members.drop(key)
        return Response(status_code=204)

    def by_record(self, call: Call) -> Response:
        """GET memberships: in the order of record ids."""
        return self._members(call, "record")

    def by_joining(self, call: Call) -> Response:
        """GET memberships/join-order."""
        return self._members(call, "joined")

    def memberships_of(self, call: Call) -> Response:
        """GET records/{kind}/{contact}/memberships: the lists one contact is on."""
        _contacts_only(call.path_params["kind"])
        found = self._memberships(call.path_params["contact"])
        return json_response({"results": found, "total": len(found)})

    def memberships_of_many(self, call: Call) -> Response:
        """POST records/memberships/batch/read."""
        started = datetime.now(UTC)
        wanted = [str(item.get("recordId")) for item in inputs_of(call)]
        found = [{"objectTypeId": "0-1", "recordId": i, "recordListMemberships": self._memberships(i)} for i in wanted]
        return batched(call, found, [], started)

    def _memberships(self, contact: str) -> list[Row]:
        return [
            {"listId": row["list"], "listVersion": 1, "firstAddedTimestamp": row["joined"],
             "lastAddedTimestamp": row["joined"], "isPublicList": False}
            for row in self.state.members.rows.values() if row["contact"] == contact
        ]  # fmt: skip

    def _members(self, call: Call, order: str) -> Response:
        row_id, members = self._known(call), self.state.members
        index, after = members.indexes[order], call.query.get("after")
        key = f"{row_id}:{after}"
        start = index.position(key) if key in members.rows else (f"{row_id} {after}", "") if after else None
        keys, more = page(index, page_limit(call, 100, 250), start, f"{row_id} ")
        rows = [members.rows[key] for key in keys]
        found = [{"recordId": row["contact"], "membershipTimestamp": row["joined"]} for row in rows]
        return json_response({"results": found, **paging(call, found[-1]["recordId"] if more else None)})

    def _changed(self, call: Call, *, add: list[str], remove: list[str]) -> Response:
        row_id, at = self._writable(call), datetime.now(UTC)
        if len(add) + len(remove) > MOST_IDS:
            raise invalid(f"At most {MOST_IDS} record ids per call")
        refused = self.state.standin.faults.rejects
        missing = {i: None for i in [*add, *remove] if self.state.find(None, i) is None or refused(i)}
        known = [i for i in dict.fromkeys(remove) if i not in missing]
        removed = [i for i in known if f"{row_id}:{i}" in self.state.members.rows]
        for contact in removed:
            self.state.members.drop(f"{row_id}:{contact}")
        new = [i for i in dict.fromkeys(add) if i not in missing]
        added = [contact for contact in new if self.state.join(row_id, contact, at)]
        answer = {"recordIdsMissing": list(missing), "recordIdsRemoved": removed, "recordsIdsAdded": added}
        return json_response(answer)

    def _writable(self, call: Call) -> str:
        row_id = self._known(call)
        if self.state.lists.rows[row_id]["processingType"] not in _WRITABLE:
            raise invalid("Members of a list of processing type DYNAMIC cannot be changed")
        return row_id

    def _free(self, name: str) -> None:
        if self.state.lists.find("name", name.casefold()) is not None:
            raise RefusalError(failure(400, "VALIDATION_ERROR", f"List name must be unique: {name} is taken"))

    def _known(self, call: Call) -> str:
        row_id = call.path_params["id"]
        if row_id not in self.state.lists.rows:
            raise not_found(f"List does not exist with ID {row_id}.")
        return row_id

    def _resource(self, row_id: str) -> Row:
        row = self.state.lists.rows[row_id]
        size = sum(1 for member in self.state.members.rows.values() if member["list"] == row_id)
        return {
            "listId": row_id, "listVersion": 1, "processingStatus": "COMPLETE", "createdById": "901", "size": size,
            "updatedById": "901", "filtersUpdatedAt": row["createdAt"], **row,
        }  # fmt: skip


def _searched(resource: Row) -> Row:
    """As the search shows a list: its size stands among the additional properties, as text."""
    size = str(resource.pop("size"))
    return resource | {"additionalProperties": {"hs_list_size": size}}


def _contacts_only(kind: Any) -> None:
    if kind not in CONTACTS:
        raise invalid(f"Unable to infer object type from: {kind}")


def _array(call: Call) -> Any:
    try:
        return call.json
    except ValueError:
        return None


def _ids(given: Any) -> list[str]:
    if not isinstance(given, list):
        raise invalid("Invalid input JSON: an array of record ids is expected")
    return [str(row_id) for row_id in given]
