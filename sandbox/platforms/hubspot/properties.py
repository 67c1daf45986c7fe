"""HubSpot's paths for contact properties and their groups."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from sandbox.calls import Call
from sandbox.facts import utc_now
from sandbox.platforms.hubspot.contacts import known_kind
from sandbox.platforms.hubspot.manners import (
    batched,
    body_of,
    failure,
    inputs_of,
    invalid,
    not_found,
    row_error,
    stamp,
    ways,
)  # fmt: skip
from sandbox.platforms.hubspot.schema import TYPES, define
from sandbox.platforms.hubspot.state import State
from sandbox.standin import RefusalError, Way, json_response
from sandbox.store import Row

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_MOST_UNIQUE = 10


class Properties:
    """The handlers, over one state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def ways(self) -> list[Way]:
        """The paths; "groups" and "batch" are no property names."""
        return [
            *ways("properties", "/{kind}/groups", GET=self.groups, POST=self.create_group),
            *ways("properties", "/{kind}/groups/{name}", GET=self.group),
            *ways("properties", "/{kind}/batch/create", POST=self.create_many),
            *ways("properties", "/{kind}/batch/read", POST=self.read_many),
            *ways("properties", "/{kind}", GET=self.every, POST=self.create),
            *ways("properties", "/{kind}/{name}", GET=self.one, PATCH=self.change, DELETE=self.archive),
        ]

    def every(self, call: Call) -> Response:
        """GET: all of them, on one page."""
        known_kind(call)
        return json_response({"results": list(self.state.properties.rows.values())})

    def one(self, call: Call) -> Response:
        """GET {name}."""
        return json_response(self._known(call))

    def create(self, call: Call) -> Response:
        """POST: 409 when the name is taken."""
        known_kind(call)
        return json_response(self._created(body_of(call)), 201)

    def create_many(self, call: Call) -> Response:
        """POST batch/create."""
        known_kind(call)
        started = datetime.now(UTC)
        results: list[Row] = []
        errors: list[Row] = []
        for item in inputs_of(call):
            try:
                results.append(self._created(item))
            except RefusalError as refused:
                conflict = refused.response.status_code == 409
                category = "OBJECT_ALREADY_EXISTS" if conflict else "VALIDATION_ERROR"
                errors.append(row_error(category, "The property was not created", name=[str(item.get("name"))]))
        return batched(call, results, errors, started, 201)

    def read_many(self, call: Call) -> Response:
        """POST batch/read."""
        known_kind(call)
        started, names = datetime.now(UTC), [str(item.get("name")) for item in inputs_of(call)]
        rows = self.state.properties.rows
        missing = [name for name in names if name not in rows]
        errors = [row_error("OBJECT_NOT_FOUND", "Some properties do not exist", name=missing)] if missing else []
        return batched(call, [rows[name] for name in names if name in rows], errors, started)

    def change(self, call: Call) -> Response:
        """PATCH {name}: labels, groups and options; what HubSpot defined cannot be changed."""
        row, body = self._known(call), body_of(call)
        if row["hubspotDefined"]:
            raise invalid(f"{row['name']} is defined by HubSpot and cannot be changed")
        allowed = ("label", "description", "groupName", "options", "hidden", "formField", "displayOrder")
        changed = row | {name: body[name] for name in allowed if name in body} | {"updatedAt": stamp(utc_now())}
        self.state.properties.put(row["name"], changed)
        return json_response(changed)

    def archive(self, call: Call) -> Response:
        """DELETE {name}."""
        row = self._known(call)
        if row["hubspotDefined"]:
            raise invalid(f"{row['name']} is defined by HubSpot and cannot be archived")
        self.state.properties.drop(row["name"])
        return Response(status_code=204)

    def groups(self, call: Call) -> Response:
        """GET groups."""
        known_kind(call)
        return json_response({"results": [_group(name, row) for name, row in self.state.groups.rows.items()]})

    def group(self, call: Call) -> Response:
        """GET groups/{name}."""
        known_kind(call)
        name = call.path_params["name"]
        if name not in self.state.groups.rows:
            raise not_found(f"Unable to find group {name}")
        return json_response(_group(name, self.state.groups.rows[name]))

    def create_group(self, call: Call) -> Response:
        """POST groups: 409 when the name is taken."""
        known_kind(call)
        body = body_of(call)
        name, label = str(body.get("name") or ""), body.get("label")
        if not _NAME.fullmatch(name) or not label:
            raise invalid("Invalid input JSON: Some required fields were not set: [name, label]")
        if name in self.state.groups.rows:
            raise RefusalError(failure(409, "CONFLICT", f"A property group named '{name}' already exists."))
        row = {"label": label, "displayOrder": body.get("displayOrder", -1)}
        self.state.groups.put(name, row)
        return json_response(_group(name, row), 201)

    def _created(self, body: Any) -> Row:
        body = body if isinstance(body, dict) else {}
        missing = [name for name in ("name", "label", "type", "fieldType", "groupName") if not body.get(name)]
        if missing:
            raise invalid(f"Invalid input JSON: Some required fields were not set: [{', '.join(missing)}]")
        name, kind, field, group = (str(body[key]) for key in ("name", "type", "fieldType", "groupName"))
        if not _NAME.fullmatch(name):
            raise invalid(f"Property name {name} must be lower case letters, digits and underscores")
        if field not in TYPES.get(kind, ()):
            raise invalid(f"The fieldType {field} does not go with the type {kind}")
        if group not in self.state.groups.rows:
            raise invalid(f"Property group {group} does not exist")
        if name in self.state.properties.rows:
            raise RefusalError(failure(409, "CONFLICT", f"Property named '{name}' already exists."))
        options = [(str(option["value"]), str(option["label"])) for option in body.get("options") or []]
        if kind in ("enumeration", "bool") and not options:
            raise invalid(f"A property of type {kind} needs options")
        unique = bool(body.get("hasUniqueValue"))
        if unique and sum(row["hasUniqueValue"] for row in self.state.properties.rows.values()) >= _MOST_UNIQUE:
            raise invalid(f"At most {_MOST_UNIQUE} properties may have unique values")
        label, text = str(body["label"]), str(body.get("description") or "")
        row = define(stamp(utc_now()), name, label, kind, field, group, options, description=text, unique=unique)
        self.state.properties.put(name, row)
        return row

    def _known(self, call: Call) -> Row:
        known_kind(call)
        row = self.state.properties.rows.get(call.path_params["name"])
        if row is None:
            raise not_found(f'Property "{call.path_params["name"]}" does not exist')
        return row


def _group(name: str, row: Row) -> Row:
    return {"name": name, **row, "archived": False}
