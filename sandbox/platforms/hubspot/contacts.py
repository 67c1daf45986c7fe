"""HubSpot's paths for one contact at a time: list, read, create, change, archive, merge, erase."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import utc_now, valid_email
from sandbox.platforms.hubspot.manners import (
    asks,
    body_of,
    failure,
    invalid,
    named,
    not_found,
    page,
    page_limit,
    paging,
    stamp,
    ways,
)  # fmt: skip
from sandbox.platforms.hubspot.state import State
from sandbox.standin import RefusalError, Way, json_response
from sandbox.store import Row

CONTACTS = frozenset({"contacts", "contact", "0-1"})
_SHOWN = ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname")


class Contacts:
    """The handlers, over one state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def ways(self) -> list[Way]:
        """The paths; those with a fixed word instead of an id come first."""
        return [
            *ways("objects", "/{kind}/merge", POST=self.merge),
            *ways("objects", "/{kind}/gdpr-delete", POST=self.erase),
            *ways("objects", "/{kind}/{id}", GET=self.one, PATCH=self.change, DELETE=self.archive),
            *ways("objects", "/{kind}", GET=self.every, POST=self.create),
        ]

    def every(self, call: Call) -> Response:
        """GET: all contacts by id, a hundred a page at most; archived ones apart."""
        known_kind(call)
        size = page_limit(call, 10, 50 if named(call, "propertiesWithHistory") else 100)
        key = "archived" if asks(call, "archived") else "present"
        after = (key, call.query["after"]) if call.query.get("after") else None
        ids, more = page(self.state.contacts.indexes["id"], size, after, key)
        rows = [shown(self.state, i, named(call, "properties"), named(call, "propertiesWithHistory")) for i in ids]
        return json_response({"results": rows, **paging(call, ids[-1] if more else None)})

    def one(self, call: Call) -> Response:
        """GET {id}: by record id or by `idProperty`."""
        row_id = self._named_by(call, archived=asks(call, "archived"))
        given = named(call, "properties"), named(call, "propertiesWithHistory")
        return json_response(shown(self.state, row_id, *given))

    def create(self, call: Call) -> Response:
        """POST: 409 when the address is taken."""
        known_kind(call)
        values = self._valid(call)
        refusal = self.taken(values, None)
        if refusal:
            raise RefusalError(refusal)
        row_id = self.state.create(values, datetime.now(UTC))
        return json_response(shown(self.state, row_id, list(values)), 201)

    def change(self, call: Call) -> Response:
        """PATCH {id}."""
        row_id, values = self._named_by(call), self._valid(call)
        refusal = self.taken(values, row_id)
        if refusal:
            raise RefusalError(refusal)
        self.state.save(row_id, self.state.contacts.rows[row_id], values, datetime.now(UTC))
        return json_response(shown(self.state, row_id, list(values)))

    def archive(self, call: Call) -> Response:
        """DELETE {id}: 204 whether or not there is one."""
        known_kind(call)
        row_id = self.state.find(None, call.path_params["id"])
        if row_id is not None:
            self.state.archive(row_id, utc_now())
        return Response(status_code=204)

    def merge(self, call: Call) -> Response:
        """POST merge: the second contact goes into the first."""
        known_kind(call)
        body = body_of(call)
        winner = self.state.find(None, str(body.get("primaryObjectId")))
        loser = self.state.find(None, str(body.get("objectIdToMerge")))
        if winner is None or loser is None:
            raise not_found()
        if winner == loser:
            raise invalid("Cannot merge a contact into itself")
        self.state.merge(winner, loser, datetime.now(UTC))
        return json_response(shown(self.state, winner, []))

    def erase(self, call: Call) -> Response:
        """POST gdpr-delete: for good; an unknown address is kept out from now on."""
        known_kind(call)
        body = body_of(call)
        named_by, value = body.get("idProperty"), str(body.get("objectId") or "")
        row_id = self.state.find(named_by, value)
        if row_id is not None:
            self.state.forget(row_id)
        elif named_by == "email" and valid_email(value):
            self.state.blocked.put(str(valid_email(value)), {"at": stamp(utc_now())})
        elif not value or named_by not in (None, "email", "hs_object_id"):
            raise invalid("objectId and, if not an id, idProperty=email are required")
        return Response(status_code=204)

    def taken(self, values: Row, row_id: str | None) -> Response | None:
        """A 409 when another contact has one of these unique values, or when an address was erased for good."""
        for name, value in values.items():
            unique = name == "email" or self.state.properties.rows[name]["hasUniqueValue"]
            other = self.state.find(name, value) if unique and value else None
            if other not in (None, row_id):
                return failure(409, "CONFLICT", f"Contact already exists. Existing ID: {other}")
            if name == "email" and value in self.state.blocked.rows:
                return failure(400, "VALIDATION_ERROR", "Email address was deleted for privacy and cannot be used")
        return None

    def _valid(self, call: Call) -> Row:
        given = body_of(call).get("properties")
        if not isinstance(given, dict):
            raise invalid("Invalid input JSON: Some required fields were not set: [properties]")
        values, wrong = self.state.valid(given)
        if wrong:
            raise invalid("Property values were not valid", errors=wrong)
        return values

    def _named_by(self, call: Call, archived: bool = False) -> str:
        known_kind(call)
        wanted = call.path_params["id"]
        if archived:
            row = self.state.contacts.rows.get(wanted)
            row_id = wanted if row and row["archived"] else None
        else:
            row_id = self.state.find(call.query.get("idProperty"), wanted)
        if row_id is None:
            raise not_found()
        return row_id


def known_kind(call: Call) -> None:
    """A 400 for other objects than contacts: this account holds none."""
    if call.path_params["kind"] not in CONTACTS:
        raise invalid(f"Unable to infer object type from: {call.path_params['kind']}")


def shown(state: State, row_id: str, wanted: list[str], history: list[str] | None = None) -> Row:
    """One contact as the API shows it: a few properties, and the ones asked for (null where they have no value)."""
    return render(row_id, state.contacts.rows[row_id], [n for n in wanted if n in state.properties.rows], history or [])


def render(row_id: str, row: Row, wanted: list[str], history: list[str]) -> Row:
    """One row as the API shows it."""
    values = row["properties"]
    found: Row = {
        "id": row_id, "properties": {name: values.get(name) for name in dict.fromkeys((*_SHOWN, *wanted, *history))},
        "createdAt": row["createdAt"], "updatedAt": row["updatedAt"], "archived": row["archived"],
    }  # fmt: skip
    if row["archived"]:
        found["archivedAt"] = row["archivedAt"]
    if history:
        found["propertiesWithHistory"] = {name: _history(row, name) for name in history}
    return found


def _history(row: Row, name: str) -> list[Row]:
    if name in row["history"]:
        entries: list[Row] = row["history"][name]
        return entries
    value = row["properties"].get(name)
    return [] if value is None else [{"value": value, "timestamp": row["createdAt"], "sourceType": "FORM"}]
